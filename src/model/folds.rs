//! Folds that keep the share of bad rows, fixed by a seed.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The fold of each row, `0..folds`: the rows of each outcome are shuffled and dealt out in turn.
pub fn stratified(bad: &[bool], folds: u32, seed: u64) -> Vec<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut fold_of = vec![0; bad.len()];
    let mut dealt = 0;
    for outcome in [true, false] {
        let mut rows: Vec<usize> = (0..bad.len()).filter(|row| bad[*row] == outcome).collect();
        rows.shuffle(&mut random);
        for row in rows {
            fold_of[row] = dealt % folds.max(1);
            dealt += 1;
        }
    }
    fold_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fold_gets_its_share_of_bad_rows_and_a_seed_fixes_which() {
        let bad: Vec<bool> = (0..103).map(|i| i % 5 == 0).collect();
        let folds = stratified(&bad, 5, 7);
        for fold in 0..5 {
            let rows = folds.iter().filter(|f| **f == fold).count();
            let bads = folds.iter().zip(&bad).filter(|(f, b)| **f == fold && **b).count();
            assert!((20..=21).contains(&rows) && (4..=5).contains(&bads));
        }
        assert_eq!(folds, stratified(&bad, 5, 7));
        assert_ne!(folds, stratified(&bad, 5, 8));
    }
}
