//! What the PMML export promises: valid by the standard's schema, and scored by an evaluator that is not ours like by the service.

use crate::support::engines::assert_scored;
use crate::support::exported::{awkward, large, shipped, typed_job, with_pmml};

#[test]
fn an_independent_evaluator_gives_the_points_score_probability_grade_and_reasons_of_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let models = [shipped(), awkward(550.015625), awkward(-300.5), large()];
    let counts = [150, 400, 400, 20];
    let mut jobs = Vec::new();
    for (i, model) in models.iter().enumerate() {
        let mut job = typed_job(model, counts[i], i as u64);
        job.prefix = ["", "yuxin_", "", ""][i].to_owned();
        jobs.push((with_pmml(job, model, folder.path(), &format!("model{i}")), model));
    }
    assert_scored("JPMML-Evaluator", "in_jpmml.py", &jobs);
}
