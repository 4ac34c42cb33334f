//! What chance does: tails of the normal and the chi-square distribution, the interval of a share.

/// Standard errors of a 95 % interval.
pub const ERRORS_95: f64 = 1.959_963_984_540_054;

/// The 95 % interval of a share (Wilson 1927): within 0 and 1 and sound also where the share is 0 or 1. No rows say nothing.
pub fn wilson(hits: u64, rows: u64) -> [f64; 2] {
    if rows == 0 {
        return [0.0, 1.0];
    }
    let (n, share, square) = (rows as f64, hits as f64 / rows as f64, ERRORS_95 * ERRORS_95);
    let centre = share + square / (2.0 * n);
    let reach = ERRORS_95 * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    // At either end the bound is exact; computed it may be off by a rounding error.
    let low = if hits == 0 { 0.0 } else { (centre - reach) / (1.0 + square / n) };
    let high = if hits >= rows { 1.0 } else { (centre + reach) / (1.0 + square / n) };
    [low.clamp(0.0, 1.0), high.clamp(0.0, 1.0)]
}

/// The chance that a chi-square variable exceeds `x`.
///
/// With whole degrees of freedom the incomplete gamma function is a finite sum: from `Q(1, t) = e^−t` or `Q(½, t) = erfc(√t)` up by
/// `Q(a + 1, t) = Q(a, t) + t^a e^−t / Γ(a + 1)`, with `t = x / 2` (Abramowitz and Stegun 26.4.4 and 26.4.5). All terms are
/// positive, so that nothing cancels.
pub fn chi_square_tail(x: f64, degrees: u32) -> f64 {
    if x.is_nan() || x <= 0.0 || degrees == 0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    let t = x / 2.0;
    let odd = degrees % 2 == 1;
    let (mut a, mut tail) = if odd { (0.5, libm::erfc(t.sqrt())) } else { (1.0, (-t).exp()) };
    // t^a e^−t / Γ(a + 1) of the first a; Γ(3/2) = √π / 2.
    let mut term = if odd { (-t).exp() * t.sqrt() * std::f64::consts::FRAC_2_SQRT_PI } else { (-t).exp() * t };
    while a < f64::from(degrees) / 2.0 {
        tail += term;
        a += 1.0;
        term *= t / a;
    }
    tail.clamp(0.0, 1.0)
}

/// The chance that a standard normal variable is further from 0 than `z`.
pub fn normal_two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, is: f64, relative: f64) {
        assert!((found - is).abs() <= relative * is.abs(), "{found} is not {is}");
    }

    #[test]
    fn chi_square_and_normal_tails_agree_with_scipy() {
        for (degrees, x, tail) in [
            (8, 15.507, 0.05000521928328078),
            (8, 2.3, 0.9704059423550913),
            (7, 14.067, 0.050002444680797654),
            (1, 3.841, 0.050013683763956804),
            (2, 0.5, 0.7788007830714049),
            (9, 40.0, 7.598525229464264e-06),
            (3, 200.0, 4.218541107192018e-43),
            (8, 900.0, 5.6476520704599074e-189),
        ] {
            close(chi_square_tail(x, degrees), tail, 1e-12);
        }
        assert_eq!([chi_square_tail(0.0, 3), chi_square_tail(f64::INFINITY, 4)], [1.0, 0.0]);
        close(normal_two_sided(1.96), 0.04999579029644087, 1e-12);
        close(normal_two_sided(-0.3), 0.7641771556220948, 1e-12);
        close(normal_two_sided(3.5), 0.00046525815807105003, 1e-12);
    }

    #[test]
    fn wilson_intervals_agree_with_the_formula_by_hand_and_stay_within_0_and_1() {
        for (hits, rows, [low, high]) in [
            (5, 50, [0.04347576493189041, 0.21360231437479654]),
            (0, 20, [0.0, 0.16112515805281938]),
            (20, 20, [0.8388748419471806, 1.0]),
        ] {
            let found = wilson(hits, rows);
            assert!((found[0] - low).abs() < 1e-12 && (found[1] - high).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }
}
