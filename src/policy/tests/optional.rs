//! What a silent optional department means.

use super::*;

#[test]
fn an_optional_department_that_gave_no_record_is_referred_where_the_policy_says_so_and_only_there() {
    let strict = DEFAULT_POLICY.replace("court = \"interval\"", "court = \"refer\"");
    let older = DEFAULT_POLICY.replace("registry = \"interval\"\ncourt = \"interval\"\nutilities = \"interval\"\n", "");
    assert!(strict != DEFAULT_POLICY && older != DEFAULT_POLICY);
    for (status, missing) in [
        (EvidenceStatus::Absent, true),
        (EvidenceStatus::Unavailable, true),
        (EvidenceStatus::Invalid, true),
        (EvidenceStatus::NotCovered, false),
        (EvidenceStatus::Cached, false),
    ] {
        let mut dossier = sound();
        dossier.others = vec![court(status, ON)];
        let ruled = |policy: &str| rule_by(policy, &dossier, "A", None, 1_000_000);
        let ruling = ruled(&strict);
        assert_eq!(ruling.outcome == Outcome::Refer, missing, "{status:?}");
        if missing {
            assert_eq!(codes(&ruling), ["EVIDENCE_MISSING"]);
            assert_eq!(ruling.refer_reasons[0].source, Some(SourceKind::Court));
            assert_eq!(ruling.refer_reasons[0].figures["status"], status.as_str());
        }
        for lenient in [DEFAULT_POLICY, &older] {
            assert_eq!(ruled(lenient).outcome, Outcome::Approve, "{status:?}");
        }
    }
}
