//! Random draws of one firm: reproducible from the district's seed, the firm's index and what is drawn.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a stream of draws is for. Each has its own stream, so that a change in one leaves the others as they were.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aspect {
    Traits = 1,
    Course = 2,
    Sales = 3,
    Purchases = 4,
    Tax = 5,
    SocialInsurance = 6,
    Payments = 7,
    Outcome = 8,
    Names = 9,
    Staff = 10,
}

/// A stream of draws.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The draws of one aspect of the firm `index` in the district `seed`.
    pub(super) fn new(seed: u64, index: u32, aspect: Aspect) -> Dice {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((u64::from(index) << 8) | aspect as u64);
        Dice(rng)
    }

    /// Uniform in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        self.0.gen_range(0.0..1.0)
    }

    /// Uniform in [low, high).
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn whole(&mut self, low: i32, high: i32) -> i32 {
        self.0.gen_range(low..=high)
    }

    /// True with probability `p`.
    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Standard normal.
    pub(super) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// `value`, or nothing with probability `p`: a field that the department does not share.
    pub(super) fn shared<T>(&mut self, p: f64, value: T) -> Option<T> {
        (!self.chance(p)).then_some(value)
    }

    /// Poisson. Above a mean of 40 a rounded normal, which is as good there and takes one draw.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 40.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let (floor, mut product, mut n) = ((-mean).exp(), self.uniform(), 0);
        while product > floor {
            product *= self.uniform();
            n += 1;
        }
        n
    }

    /// One of `items`, each as likely as its weight among the weights.
    pub(super) fn weighted<'a, T>(&mut self, items: &'a [T], weight: impl Fn(&T) -> f64) -> &'a T {
        let mut left = self.uniform() * items.iter().map(&weight).sum::<f64>();
        let mut chosen = &items[0];
        for item in items {
            chosen = item;
            left -= weight(item);
            if left < 0.0 {
                break;
            }
        }
        chosen
    }
}

/// 1 / (1 + e^−x).
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(p / (1 − p)), with p kept off 0 and 1.
pub(super) fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-4, 1.0 - 1e-4);
    (p / (1.0 - p)).ln()
}
