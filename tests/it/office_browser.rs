//! A person works in the console with a real browser.

use fantoccini::Locator;
use yuxin::domain::{Role, Verdict};

use crate::support::browser::{Page, Setup, with_browser};
use crate::support::console::{Console, PASSWORD};
use crate::support::specimen::Specimen;

const DESKTOP: Setup = Setup { language: "zh-CN", width: 1280 };
const PHONE: Setup = Setup { language: "zh-CN", width: 500 };
const FIRM: &str = "绍兴上虞恒泰机械有限公司";

async fn log_in(page: &Page, console: &Console, name: &str, password: &str) {
    page.open(&console.page("/console")).await;
    page.fill("#name", name).await;
    page.fill("#password", password).await;
    page.follow(Locator::Css("#log-in")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_finds_a_case_reads_it_and_approves_it_with_a_reason() {
    let console = Console::start().await;
    console.refer(&Specimen::new(FIRM, 1, 3)).await;
    with_browser(DESKTOP, async |page: &Page| {
        log_in(page, &console, "officer", "not the password").await;
        assert_eq!(page.text("#login-error").await, "用户名或密码不正确，请重新输入。");
        page.fill("#password", PASSWORD).await;
        page.follow(Locator::Css("#log-in")).await;

        assert_eq!(page.text("#tab-open .count").await, "1");
        assert!(page.text("table.cases").await.contains("人数相互矛盾"));
        page.follow(Locator::LinkText(FIRM)).await;
        assert_eq!(page.text("#firm").await, FIRM);
        let case = page.text("main").await;
        for told in ["向税务申报的从业人数为 40 人，社保参保人数为 12 人", "325 万元", "3.12%", "该部门未提供"]
        {
            assert!(case.contains(told), "{told} is missing");
        }
        assert_eq!(page.count("figure.chart svg[role=img]").await, 5);

        page.follow(Locator::Css("header .tools button[name=language]")).await;
        assert_eq!(page.text("#waterfall").await, "Where the score comes from");
        assert_eq!(page.value("#limit").await, "3250000");
        page.follow(Locator::Css("header .tools button[name=language]")).await;
        assert_eq!(page.text("#waterfall").await, "评分由来");
        assert_eq!(page.value("#limit").await, "325");

        page.click("#verdict-approve").await;
        page.fill("#limit", "300").await;
        page.follow(Locator::Css("#submit-review")).await;
        assert!(page.text("#errors").await.contains("请写明理由"));
        assert_eq!(page.value("#limit").await, "300", "what was typed is kept");
        page.fill("#reason", "订单充足，人数差异为劳务派遣，已核实。").await;
        page.follow(Locator::Css("#submit-review")).await;
        assert!(page.text("#saved").await.contains("已记录"));
        assert_eq!(page.text("#state").await, "已办结");
        assert!(page.text("ol.history").await.contains("批准额度 300 万元"));
        assert_eq!(page.count("#review-form").await, 0);

        page.open(&console.page("/console/cases")).await;
        assert_eq!(page.text("p.empty").await, "目前没有待处理的案件。");
        assert_eq!(page.text("#tab-closed .count").await, "1");
        page.follow(Locator::Css("#log-out")).await;
        assert_eq!(page.text("p.banner").await, "您已退出。");
        page.open(&console.page("/console/cases")).await;
        assert_eq!(page.path().await, "/console/login");
    })
    .await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_survives_a_case_closed_by_another_and_a_session_that_ended() {
    let console = Console::start().await;
    let closed = console.refer(&Specimen::new(FIRM, 1, 3)).await;
    let open = console.refer(&Specimen::new("绍兴虞舜伞业有限公司", 2, 3)).await;
    let typed = "欠税未清，建议暂缓。";
    with_browser(PHONE, async |page: &Page| {
        log_in(page, &console, "officer", PASSWORD).await;
        page.open(&console.page(&format!("/console/cases/{closed}"))).await;
        page.click("#verdict-decline").await;
        page.fill("#reason", typed).await;
        console.review(closed, Role::Supervisor, Verdict::Approve, "订单充足，同意。").await;
        page.follow(Locator::Css("#submit-review")).await;
        let warning = page.text("#warning").await;
        assert!(
            warning.contains("supervisor") && warning.contains("建议支持") && warning.contains("没有记录"),
            "{warning}"
        );
        assert_eq!(page.value("#lost-text").await, typed);

        page.open(&console.page(&format!("/console/cases/{open}"))).await;
        page.click("#verdict-decline").await;
        page.fill("#reason", typed).await;
        let cookie = page.0.get_named_cookie("yuxin_session").await.unwrap();
        console.store.log_out(cookie.value()).await.unwrap();
        page.follow(Locator::Css("#submit-review")).await;
        assert!(page.text("p.banner").await.contains("已为您保留"));
        page.fill("#name", "officer").await;
        page.fill("#password", PASSWORD).await;
        page.follow(Locator::Css("#log-in")).await;
        assert_eq!(page.value("#reason").await, typed);
        page.click("#verdict-decline").await;
        page.follow(Locator::Css("#submit-review")).await;
        assert_eq!(page.text("#state").await, "已办结");
        let width = page.0.execute("return document.documentElement.scrollWidth - window.innerWidth", vec![]).await;
        assert!(width.unwrap().as_i64().unwrap() <= 0, "the page does not scroll sideways on a narrow screen");
    })
    .await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_reads_without_learning_the_firm_and_cannot_review() {
    let console = Console::start().await;
    let firm = Specimen::new(FIRM, 1, 3);
    let case = console.refer(&firm).await;
    console.review(case, Role::Officer, Verdict::Ask, &format!("请{FIRM}补充材料，代码 {}。", firm.uscc)).await;
    with_browser(DESKTOP, async |page: &Page| {
        log_in(page, &console, "observer", PASSWORD).await;
        page.follow(Locator::Css("#tab-asked")).await;
        assert_eq!(page.count("#search").await, 0, "a search would tell which case is whose");
        for path in ["/console/cases?state=asked".to_owned(), format!("/console/cases/{case}")] {
            page.open(&console.page(&path)).await;
            let source = page.0.source().await.unwrap();
            assert!(source.contains("91330604****"), "{path}");
            assert!(!source.contains(FIRM) && !source.contains(firm.uscc.as_str()), "{path}");
        }
        assert_eq!(page.text("#firm").await, "（企业名称已隐去）");
        assert!(page.text("ol.history").await.contains("▇▇▇补充材料"));
        assert_eq!(page.count("#review-form").await, 0);
        assert_eq!(page.count("figure.chart").await, 5);
    })
    .await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_sees_how_the_departments_fare_on_a_desk_and_on_a_phone_in_both_languages() {
    let console = Console::start().await;
    console.decide(crate::support::gathering::FIRM).await;
    for setup in [DESKTOP, PHONE] {
        with_browser(setup, async |page: &Page| {
            log_in(page, &console, "officer", PASSWORD).await;
            page.follow(Locator::Css("#to-departments")).await;
            assert_eq!(page.path().await, "/console/sources");
            assert_eq!(page.count("#departments tbody tr").await, 3);
            let tax = page.text("#department-tax").await;
            assert!(tax.contains("税务部门") && tax.contains("无法连接"), "{tax}");
            assert!(page.overflow().await <= 0, "the page scrolls sideways at {} pixels", setup.width);
            page.follow(Locator::Css("header .tools button[name=language]")).await;
            assert_eq!(page.path().await, "/console/sources");
            assert!(page.text("#department-tax").await.contains("cannot be reached"));
            page.follow(Locator::Css("header .tools button[name=language]")).await;
        })
        .await;
    }
    console.stop().await;
}
