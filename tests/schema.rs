//! The JSON Schema of a record, and records held to it.

use serde_json::Value;

use crate::program::run;

fn schema() -> Value {
    let ran = run(&["schema"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    serde_json::from_str(&ran.out).unwrap()
}

/// Others build on it: what changes in it is to be seen in review.
#[test]
fn the_schema_is_the_one_we_published() {
    insta::assert_snapshot!(run(&["schema"]).out);
}

#[test]
fn every_record_keeps_the_schema() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for args in [
        &["classify", "wire", "--summary"][..],
        &[
            "classify",
            "wire",
            "--abstain-below",
            "0.999",
            "--labels",
            "a,b,c,d",
        ],
        &["classify", "hostile", "foreign", "--passthrough"],
    ] {
        let ran = run(&[args, &["--engine", "fake"]].concat());
        assert!(ran.code <= 1, "{}", ran.err);
        assert!(ran.out.lines().count() > 3);
        for line in ran.out.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let wrong = schema.iter_errors(&record).next();
            assert!(wrong.is_none(), "{}: {line}", wrong.unwrap());
        }
    }
}

#[test]
fn what_is_no_record_does_not_keep_it() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let record = &run(&["classify", "wire", "--engine", "fake"]).out;
    let record: Value = serde_json::from_str(record.lines().next().unwrap()).unwrap();
    assert!(schema.is_valid(&record));
    for (field, wrong) in [
        ("schema", "1".into()),
        ("schema", 2.into()),
        ("stance", "maybe".into()),
        ("scores", serde_json::json!({"a": 1.0})),
        ("tokens", (-1).into()),
        ("evidence", serde_json::json!([{"text": "a"}])),
    ] {
        let mut record = record.clone();
        record[field] = wrong;
        assert!(!schema.is_valid(&record), "{field}");
    }
    assert!(!schema.is_valid(&serde_json::json!({"schema": 1, "id": "a"})));
}
