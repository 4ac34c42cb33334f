//! What the PMML export promises: valid by the standard's schema, and scored by an evaluator that is not ours like by the service.

use rstest::rstest;
use yuxin::model::Model;

use crate::support::engines::{self, Cell, Job, Type};
use crate::support::exported::{awkward, large, shipped, typed_job, with_pmml};

const JPMML: &str = "in_jpmml.py";
const PMML4S: &str = "in_pmml4s.py";

fn jobs<'m>(cases: &'m [(Model, usize, &str)], folder: &std::path::Path) -> Vec<(Job, &'m Model)> {
    let job = |(i, (model, rows, prefix)): (usize, &'m (Model, usize, &str))| {
        let mut job = typed_job(model, *rows, i as u64);
        job.prefix = (*prefix).to_owned();
        (with_pmml(job, model, folder, &format!("model{i}")), model)
    };
    cases.iter().enumerate().map(job).collect()
}

#[rstest]
#[case::jpmml(JPMML)]
#[case::pmml4s(PMML4S)]
fn an_independent_evaluator_gives_the_points_score_probability_grade_and_reasons_of_the_service(#[case] script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let cases =
        [(shipped(), 150, ""), (awkward(550.015625), 400, "yuxin "), (awkward(-300.5), 400, ""), (large(), 20, "")];
    let jobs = jobs(&cases, folder.path());
    let list: Vec<Job> = jobs.iter().map(|(job, _)| job.clone()).collect();
    for ((job, model), answer) in jobs.iter().zip(engines::run(script, &list).unwrap_or_default()) {
        job.assert_scored(script, model, &answer.unwrap());
    }
}

#[test]
fn the_evaluator_refuses_a_word_in_a_field_of_numbers_and_the_schema_refuses_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let model = awkward(500.0);
    let mut word = with_pmml(typed_job(&model, 1, 1), &model, folder.path(), "word");
    word.rows[0][0] = Cell::Text("many".to_owned());
    let mut unknown = with_pmml(typed_job(&model, 1, 1), &model, folder.path(), "unknown");
    unknown.document = folder.path().join("unknown.pmml");
    let document = std::fs::read_to_string(&word.document).unwrap();
    std::fs::write(&unknown.document, document.replace("useReasonCodes", "x-mathContext=\"double\" useReasonCodes"))
        .unwrap();
    let Some(answers) = engines::run(JPMML, &[word, unknown]) else { return };
    let errors: Vec<&String> = answers.iter().map(|answer| answer.as_ref().unwrap_err()).collect();
    assert!(errors[0].contains("many"), "{}", errors[0]);
    assert!(errors[1].contains("DocumentInvalid") && errors[1].contains("x-mathContext"), "{}", errors[1]);
}

/// The scorecard that the standard itself gives as its example: were it not scored as printed there, the evaluator, or the way in
/// which it is asked, would show nothing about our documents.
#[test]
fn the_standards_own_example_comes_out_as_the_standard_says() {
    let folder = tempfile::tempdir().unwrap();
    let attribute =
        |points: i32, predicate: &str| format!("<Attribute partialScore=\"{points}\">{predicate}</Attribute>");
    let simple = |field: &str, operator: &str, value: &str| {
        let value = if value.is_empty() { String::new() } else { format!(" value=\"{value}\"") };
        format!("<SimplePredicate field=\"{field}\" operator=\"{operator}\"{value}/>")
    };
    let characteristic = |field: &str, code: &str, baseline: i32, bins: &[(i32, &str, &str)]| {
        let bins: String =
            bins.iter().map(|(points, operator, value)| attribute(*points, &simple(field, operator, value))).collect();
        format!(
            "<Characteristic name=\"{field}\" reasonCode=\"{code}\" baselineScore=\"{baseline}\">{bins}</Characteristic>"
        )
    };
    let department =
        [(-9, "isMissing", ""), (19, "equal", "marketing"), (3, "equal", "engineering"), (6, "equal", "business")];
    let age = [
        (-1, "isMissing", ""),
        (-3, "lessOrEqual", "18"),
        (0, "lessOrEqual", "29"),
        (12, "lessOrEqual", "39"),
        (18, "greaterThan", "39"),
    ];
    let income =
        [(5, "isMissing", ""), (26, "lessOrEqual", "1000"), (5, "lessOrEqual", "2500"), (-3, "greaterThan", "2500")];
    let reason = |rank: usize| {
        format!(
            "<OutputField name=\"reason_{rank}\" optype=\"categorical\" dataType=\"string\" feature=\"reasonCode\" rank=\"{rank}\"/>"
        )
    };
    let document = format!(
        "<PMML xmlns=\"http://www.dmg.org/PMML-4_4\" version=\"4.4\"><Header/><DataDictionary>\
         <DataField name=\"department\" optype=\"categorical\" dataType=\"string\"/>\
         <DataField name=\"age\" optype=\"continuous\" dataType=\"integer\"/>\
         <DataField name=\"income\" optype=\"continuous\" dataType=\"double\"/></DataDictionary>\
         <Scorecard functionName=\"regression\" initialScore=\"0\" reasonCodeAlgorithm=\"pointsBelow\">\
         <MiningSchema><MiningField name=\"department\"/><MiningField name=\"age\"/><MiningField name=\"income\"/></MiningSchema>\
         <Output><OutputField name=\"points\" optype=\"continuous\" dataType=\"double\" feature=\"predictedValue\"/>{}</Output>\
         <Characteristics>{}{}{}</Characteristics></Scorecard></PMML>",
        (1..=3).map(reason).collect::<String>(),
        characteristic("department", "RC1", 19, &department),
        characteristic("age", "RC2", 18, &age),
        characteristic("income", "RC3", 10, &income),
    );
    let path = folder.path().join("example.pmml");
    std::fs::write(&path, document).unwrap();
    let columns = [("department", Type::Text), ("age", Type::Integer), ("income", Type::Double)];
    let job = Job {
        document: path,
        table: String::new(),
        prefix: String::new(),
        features: Vec::new(),
        columns: columns.map(|(name, of)| (name.to_owned(), of)).to_vec(),
        rows: vec![vec![Cell::Text("engineering".to_owned()), Cell::Integer(25), Cell::Double(500.0)]],
    };
    let Some(answers) = engines::run(JPMML, &[job]) else { return };
    let scored = answers[0].as_ref().unwrap();
    assert_eq!(scored[0].points, 29.0);
    // The standard names RC3 third, which lost nothing, it gained 16 points; this evaluator leaves gains out.
    assert_eq!(scored[0].reasons, ["RC2", "RC1"]);
}
