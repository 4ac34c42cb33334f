//! A model's report in a real browser: read from a file, without a network, on a desk and on a phone.

use yuxin::model::report::html;

use crate::support::browser::{Page, Setup, with_browser};
use crate::support::reports::{HOSTILE, trained};

const DESKTOP: Setup = Setup { language: "zh-CN", width: 1280 };
const PHONE: Setup = Setup { language: "en", width: 390 };

/// The report of a model with pairs, sets, periods and words from the data that would be markup, in a file.
fn file() -> tempfile::NamedTempFile {
    let mut case = trained(1600, 3, "period = \"2019–2021\"");
    case.pair_up(4);
    let file = tempfile::Builder::new().suffix(".html").tempfile().unwrap();
    std::fs::write(file.path(), html(&case.report()).unwrap()).unwrap();
    file
}

async fn number(page: &Page, script: &str) -> i64 {
    page.0.execute(script, vec![]).await.unwrap().as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_shows_every_section_in_both_languages_and_asks_the_network_for_nothing() {
    let file = file();
    with_browser(DESKTOP, async |page: &Page| {
        page.open(&format!("file://{}", file.path().display())).await;
        let sections =
            ["quality", "order", "truth", "scores", "features", "pairs", "dependence", "stability", "left-out"];
        for id in sections {
            assert_eq!(page.count(&format!("section#{id} h2")).await, 1, "{id}");
            assert_eq!(page.count(&format!("nav a[href='#{id}']")).await, 1, "{id}");
        }
        assert_eq!(page.count("section#order svg[role=img]").await, 4, "ROC and KS of both sets");
        assert_eq!(page.count("section#truth svg[role=img]").await, 2);
        assert_eq!(page.count("section#stability svg[role=img]").await, 2);
        assert!(page.count("section#pairs table.heat").await > 2);
        let nameless = "return [...document.querySelectorAll('svg')].filter(svg => svg.getAttribute('aria-labelledby')\
                        .split(' ').some(id => !document.getElementById(id)?.textContent.trim())).length";
        assert_eq!(number(page, nameless).await, 0, "every drawing has a title and a description");
        let headless =
            "return [...document.querySelectorAll('table')].filter(t => !t.querySelector('thead th')).length";
        assert_eq!(number(page, headless).await, 0, "every table has headers");

        assert_eq!(page.text("#quality h2").await, "效果");
        assert!(!page.text("main").await.contains("Calibration"));
        page.click("label[for=to-en]").await;
        assert_eq!(page.text("#quality h2").await, "Quality");
        let english = page.text("main").await.replace("百官街道", "").replace("丰惠镇", "").replace("章镇镇", "");
        let english = english.replace("申报营业收入", "").replace(HOSTILE, "");
        let chinese: Vec<char> = english.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).collect();
        assert!(chinese.is_empty(), "{chinese:?}");
        page.click("label[for=to-zh]").await;
        assert_eq!(page.text("#quality h2").await, "效果");

        assert!(page.text("#features").await.contains(HOSTILE), "words of the data are shown as they are");
        assert_eq!(page.count("script").await, 0);
        assert_eq!(number(page, "return performance.getEntriesByType('resource').length").await, 0);
        assert!(page.overflow().await <= 0);
        let told = page.console().await;
        assert!(told.is_empty(), "{told:?}");
        page.0.execute("console.error('heard')", vec![]).await.unwrap();
        assert!(page.console().await.iter().any(|said| said.contains("heard")), "an error would have been heard");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_fits_a_phone_with_everything_unfolded() {
    let file = file();
    with_browser(PHONE, async |page: &Page| {
        page.open(&format!("file://{}", file.path().display())).await;
        assert_eq!(number(page, "return window.innerWidth").await, 390);
        page.0.execute("document.querySelectorAll('details').forEach(d => d.open = true)", vec![]).await.unwrap();
        for language in ["to-zh", "to-en"] {
            page.click(&format!("label[for={language}]")).await;
            assert!(page.overflow().await <= 0, "{language}: the page does not scroll sideways");
            let cut = "return [...document.querySelectorAll('h1, h2, h3, summary, figure, .hint, dd, pre, table')].filter(\
                       e => !e.closest('.scroll') && e.getBoundingClientRect().right > window.innerWidth + 1).length";
            assert_eq!(number(page, cut).await, 0, "{language}");
        }
        assert!(page.console().await.is_empty());
    })
    .await;
}
