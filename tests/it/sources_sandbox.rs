//! What the sandbox serves is what the connectors read: for every firm, every record, to the last field.

use std::path::PathBuf;

use jiff::civil::date;
use yuxin::domain::evidence::Evidence;
use yuxin::domain::{EvidenceStatus, Uscc};
use yuxin::observe::Metrics;
use yuxin::sandbox::{Departments, District, RealFirms, Served};
use yuxin::settings::Settings;
use yuxin::sources::Sources;

use crate::support::gathering::{now, pass_of};

/// Departments that serve `served` as long as the test's runtime lives, and the connectors to them.
fn connected(served: Served) -> Sources {
    let departments = Departments::bind("127.0.0.1:0".parse().unwrap(), served).unwrap();
    let url = format!("http://{}", departments.addr());
    tokio::spawn(departments.run());
    let mut settings = Settings::with_overrides("").unwrap().sources;
    for source in [&mut settings.tax, &mut settings.social_insurance, &mut settings.payment_history] {
        source.base_url = url.clone();
    }
    Sources::new(&settings, Metrics::new().unwrap()).unwrap()
}

fn assert_same<R: PartialEq + std::fmt::Debug>(uscc: &Uscc, known: Option<&R>, evidence: &Evidence<R>) {
    assert_eq!(evidence.record.as_ref(), known, "{uscc}: {:?}", evidence.detail);
    assert_eq!(evidence.status == EvidenceStatus::Absent, known.is_none(), "{uscc}: {:?}", evidence.detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_firm_of_the_synthetic_district_is_read_as_it_was_made() {
    let district = || District::new(7, 300, date(2026, 10, 31));
    let sources = connected(Served::District(district()));
    for firm in district().iter() {
        let dossier = sources.gather(&pass_of(&firm.uscc), now()).await;
        assert_same(&firm.uscc, firm.tax.as_ref(), &dossier.tax);
        assert_same(&firm.uscc, firm.social_insurance.as_ref(), &dossier.social_insurance);
        assert_same(&firm.uscc, firm.payment_history.as_ref(), &dossier.payment_history);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_real_firm_of_a_data_folder_is_read_as_it_was_recorded() {
    let Some(data) = std::env::var_os("YUXIN_DATA") else {
        crate::support::say("skipped: YUXIN_DATA names no folder with real-firms/");
        return;
    };
    let folder = PathBuf::from(data).join("real-firms");
    let firms = RealFirms::open(&folder).unwrap();
    let sources = connected(Served::Replay(RealFirms::open(&folder).unwrap()));
    for firm in firms.iter() {
        let dossier = sources.gather(&pass_of(&firm.uscc), now()).await;
        assert_same(&firm.uscc, Some(&firm.tax), &dossier.tax);
        assert_same(&firm.uscc, None, &dossier.social_insurance);
        assert_same(&firm.uscc, None, &dossier.payment_history);
    }
}
