//! The departments answer over HTTP as connectors expect them to.

use std::net::SocketAddr;
use std::path::Path;

use jiff::civil::date;
use serde_json::Value;
use yuxin::domain::evidence::{PaymentHistoryRecord, SocialInsuranceRecord, TaxRecord};
use yuxin::sandbox::{Departments, DepartmentsHandle, District, RealFirms, Served};

use crate::sandbox_replay::folder;

const NOWHERE: &str = "127.0.0.1:0";

fn district() -> District {
    District::new(5, 300, date(2026, 10, 31))
}

/// Starts departments on a free port.
fn start(served: Served) -> (SocketAddr, DepartmentsHandle) {
    let departments = Departments::bind(NOWHERE.parse().unwrap(), served).unwrap();
    let (addr, handle) = (departments.addr(), departments.handle());
    tokio::spawn(departments.run());
    (addr, handle)
}

async fn get(addr: SocketAddr, path: &str) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(format!("http://{addr}{path}")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    (response.status().as_u16(), response.json().await.unwrap())
}

fn replay(folder: &Path) -> Served {
    Served::Replay(RealFirms::open(folder).unwrap())
}

#[tokio::test]
async fn each_department_sends_its_record_with_the_code_or_says_that_it_does_not_know_the_firm() {
    let (addr, _handle) = start(Served::District(district()));
    let mut absent = 0;
    for firm in district().iter().take(60) {
        let (code, uscc) = (firm.uscc.as_str(), &firm.uscc);
        let (status, tax) = get(addr, &format!("/tax/v1/firms/{code}")).await;
        absent += usize::from(status == 404);
        assert_eq!(status == 200, firm.tax.is_some());
        if status == 200 {
            assert_eq!(tax["uscc"], uscc.as_str());
            assert_eq!(serde_json::from_value::<TaxRecord>(tax).ok(), firm.tax);
        }
        let (status, social) = get(addr, &format!("/social-insurance/v1/firms/{code}")).await;
        assert_eq!(status == 200, firm.social_insurance.is_some());
        assert_eq!(serde_json::from_value::<SocialInsuranceRecord>(social).ok(), firm.social_insurance);
        let (status, payments) = get(addr, &format!("/payments/v1/firms/{code}")).await;
        assert_eq!(status == 200, firm.payment_history.is_some());
        assert_eq!(serde_json::from_value::<PaymentHistoryRecord>(payments).ok(), firm.payment_history);
    }
    assert!(absent < 10, "{absent} of 60 firms unknown to the tax department");
}

#[tokio::test]
async fn a_text_that_is_no_code_is_a_bad_request_and_a_foreign_code_is_not_found() {
    let (addr, _handle) = start(Served::District(district()));
    for department in ["tax", "social-insurance", "payments"] {
        let (status, body) = get(addr, &format!("/{department}/v1/firms/91330604MA2XY0015W")).await;
        assert_eq!(status, 400);
        assert!(body["error"].as_str().unwrap().contains("check character"), "{body}");
        let (status, body) = get(addr, &format!("/{department}/v1/firms/91330604MA2XY0014W")).await;
        assert_eq!(status, 404);
        assert!(body["error"].is_string());
    }
    assert_eq!(get(addr, "/courts/v1/firms/91330604MA2XY0014W").await.0, 404);
}

#[tokio::test]
async fn the_list_of_firms_has_a_default_a_limit_and_refuses_nonsense() {
    let (addr, _handle) = start(Served::District(district()));
    let listed = |body: Value| body.as_array().unwrap().len();
    assert_eq!(listed(get(addr, "/firms").await.1), 100);
    assert_eq!(listed(get(addr, "/firms?limit=3").await.1), 3);
    assert_eq!(listed(get(addr, "/firms?limit=10000").await.1), 300, "all there are");
    for limit in ["0", "10001", "-1", "many", ""] {
        assert_eq!(get(addr, &format!("/firms?limit={limit}")).await.0, 400, "limit={limit}");
    }
    let (_, firms) = get(addr, "/firms?limit=1").await;
    assert_eq!(firms[0]["uscc"], district().label(0).0.as_str());
    assert!(firms[0]["name"].as_str().unwrap().contains("上虞"));
}

#[tokio::test]
async fn a_replay_lists_its_firms_and_only_the_tax_department_knows_them() {
    let folder = folder();
    let (addr, _handle) = start(replay(folder.path()));
    let (_, firms) = get(addr, "/firms").await;
    assert_eq!(firms.as_array().unwrap().len(), 2);
    let code = firms[0]["uscc"].as_str().unwrap();
    let (status, tax) = get(addr, &format!("/tax/v1/firms/{code}")).await;
    assert_eq!(
        (status, &tax["rating"], &tax["arrears"], &tax["filings"]),
        (200, &Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(tax["invoices"].as_array().unwrap().len(), 2);
    assert_eq!(get(addr, &format!("/social-insurance/v1/firms/{code}")).await.0, 404);
    assert_eq!(get(addr, &format!("/payments/v1/firms/{code}")).await.0, 404);
}

#[tokio::test]
async fn departments_stop_when_they_are_told_to() {
    let departments = Departments::bind(NOWHERE.parse().unwrap(), Served::District(district())).unwrap();
    let handle = departments.handle();
    let running = tokio::spawn(departments.run());
    handle.stop().await;
    tokio::time::timeout(std::time::Duration::from_secs(5), running).await.unwrap().unwrap().unwrap();
}
