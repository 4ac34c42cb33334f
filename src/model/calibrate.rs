//! Calibration: predictions of rows that the model had not seen, set right by an intercept and a slope (Platt 1999).

use super::fit::{FitError, fit_logistic};

/// Keeps intercept and slope finite where the predictions separate the outcomes perfectly.
const L2: f64 = 0.1;

/// `calibrated = intercept + slope · log-odds`, both of the good outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Added to the log-odds.
    pub intercept: f64,
    /// Times the log-odds; 1 where the model is neither over- nor underconfident.
    pub slope: f64,
}

impl Calibration {
    /// Calibrated log-odds.
    pub fn apply(&self, log_odds: f64) -> f64 {
        self.intercept + self.slope * log_odds
    }
}

/// Fits the calibration to out-of-fold log-odds of the good outcome.
///
/// # Errors
/// As [`fit_logistic`].
pub fn calibrate(log_odds: &[f64], bad: &[bool]) -> Result<Calibration, FitError> {
    let fitted = fit_logistic(&[log_odds.to_vec()], bad, L2)?;
    Ok(Calibration { intercept: fitted.intercept, slope: fitted.coefficients.first().copied().unwrap_or(0.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overconfident_predictions_are_drawn_back_to_the_rates_seen() {
        // Predicted odds of 99:1 and 1:99, seen 4:1 and 1:4.
        let log_odds: Vec<f64> = (0..2000).map(|i| if i < 1000 { 99_f64.ln() } else { -(99_f64.ln()) }).collect();
        let bad: Vec<bool> = (0..2000).map(|i| (i % 5 == 0) == (i < 1000)).collect();
        let found = calibrate(&log_odds, &bad).unwrap();
        assert!((found.apply(99_f64.ln()) - 4_f64.ln()).abs() < 0.01, "{found:?}");
        assert!(found.intercept.abs() < 0.01);
    }

    #[test]
    fn predictions_in_the_wrong_order_get_a_negative_slope() {
        let log_odds: Vec<f64> = (0..200).map(|i| f64::from(i % 2)).collect();
        let bad: Vec<bool> = (0..200).map(|i| i % 2 == 1 || i % 10 == 0).collect();
        assert!(calibrate(&log_odds, &bad).unwrap().slope < 0.0);
    }
}
