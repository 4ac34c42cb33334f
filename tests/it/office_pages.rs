//! What the console sends, looked at without a browser: headers, cookies, escaping, refusals.

use reqwest::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, StatusCode, redirect};
use yuxin::domain::{Role, Verdict};

use crate::support::console::{Console, PASSWORD};
use crate::support::specimen::Specimen;

/// A visitor with the cookies that the console gave.
struct Visitor<'c> {
    console: &'c Console,
    client: Client,
    cookies: Vec<(String, String)>,
    csrf: String,
}

/// The value of the first hidden field `csrf` in a page.
fn token(page: &str) -> String {
    let rest = page.split_once("name=\"csrf\" value=\"").map(|(_, rest)| rest).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

impl<'c> Visitor<'c> {
    fn new(console: &'c Console) -> Visitor<'c> {
        let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        Visitor { console, client, cookies: Vec::new(), csrf: String::new() }
    }

    async fn logged_in(console: &'c Console, role: Role) -> Visitor<'c> {
        let mut visitor = Visitor::new(console);
        visitor.csrf = token(&visitor.get("/console/login").await.text().await.unwrap());
        let answer = visitor.post("/console/login", &[("name", role.as_str()), ("password", PASSWORD)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let page = visitor.get("/console/cases").await.text().await.unwrap();
        visitor.csrf = token(&page);
        visitor
    }

    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep_cookies(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            let value = rest.split(';').next().unwrap();
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    async fn get(&mut self, path: &str) -> Response {
        let request = self.client.get(self.console.page(path)).header(COOKIE, self.cookie_header());
        let answer = request.send().await.unwrap();
        self.keep_cookies(&answer);
        answer
    }

    /// Posts a form with the token in it.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let csrf = self.csrf.clone();
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        self.post_bare(path, &fields).await
    }

    /// Posts a form as it is.
    async fn post_bare(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let body: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={}", encode(v))).collect();
        let request = self
            .client
            .post(self.console.page(path))
            .header(COOKIE, self.cookie_header())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        let answer = request.send().await.unwrap();
        self.keep_cookies(&answer);
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_strict_headers_and_no_script() {
    let console = Console::start().await;
    let case = console.refer(&Specimen::new("恒泰机械", 1, 3)).await;
    let mut visitor = Visitor::logged_in(&console, Role::Officer).await;
    let case = format!("/console/cases/{case}");
    for path in ["/console", "/console/login", "/console/cases", &case, "/console/nowhere", "/console/cases/x"] {
        let answer = visitor.get(path).await;
        let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap()).unwrap_or_default();
        assert!(header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!header("content-security-policy").contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        let body = answer.text().await.unwrap();
        assert!(!body.contains("<script") && !body.contains(" style=") && !body.contains("<style"), "{path}");
    }
    let page = visitor.get("/console/cases").await.text().await.unwrap();
    let style = page.split("href=\"").find(|part| part.contains("console.css")).unwrap().split('"').next().unwrap();
    let answer = visitor.get(style).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_out_of_reach_of_scripts_other_sites_and_other_paths() {
    let console = Console::start().await;
    let mut visitor = Visitor::new(&console);
    visitor.csrf = token(&visitor.get("/console/login").await.text().await.unwrap());
    let answer = visitor.post("/console/login", &[("name", "officer"), ("password", PASSWORD)]).await;
    let cookies: Vec<&str> = answer.headers().get_all(SET_COOKIE).iter().map(|c| c.to_str().unwrap()).collect();
    let session = cookies.iter().find(|c| c.starts_with("yuxin_session=")).unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/console"] {
        assert!(session.contains(attribute), "{session}");
    }
    assert!(!session.contains("Max-Age") && !session.contains("Expires"), "it ends with the browser");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_the_right_token_changes_nothing() {
    let console = Console::start().await;
    let case = console.refer(&Specimen::new("恒泰机械", 1, 3)).await;
    let mut visitor = Visitor::logged_in(&console, Role::Officer).await;
    let review = format!("/console/cases/{case}/review");
    let fields = [("verdict", "decline"), ("reason", "欠税未清，暂不同意"), ("seen", "0")];
    let other = Visitor::logged_in(&console, Role::Officer).await.csrf;
    for csrf in [None, Some(""), Some("0"), Some(other.as_str())] {
        let fields: Vec<(&str, &str)> = fields.into_iter().chain(csrf.map(|value| ("csrf", value))).collect();
        for path in [review.as_str(), "/console/logout", "/console/language", "/console/cases"] {
            assert_eq!(visitor.post_bare(path, &fields).await.status(), StatusCode::FORBIDDEN, "{path} {csrf:?}");
        }
    }
    let (case, _) = console.store.case(case).await.unwrap().unwrap();
    assert!(case.reviews.is_empty());
    assert_eq!(visitor.post(&review, &fields).await.status(), StatusCode::SEE_OTHER, "with the token it goes through");

    let mut stranger = Visitor::new(&console);
    stranger.get("/console/login").await;
    let fields = [("name", "officer"), ("password", PASSWORD), ("csrf", "0")];
    assert_eq!(stranger.post_bare("/console/login", &fields).await.status(), StatusCode::FORBIDDEN);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_firms_and_officers_write_is_text_and_never_markup() {
    let console = Console::start().await;
    let evil = "<script>alert(1)</script>\"'&";
    let case = console.refer(&Specimen::new(evil, 1, 3)).await;
    console.review(case, Role::Supervisor, Verdict::Ask, &format!("请说明 {evil}")).await;
    let mut visitor = Visitor::logged_in(&console, Role::Officer).await;
    let mut pages = vec![visitor.get("/console/cases?state=asked").await.text().await.unwrap()];
    pages.push(visitor.get(&format!("/console/cases/{case}")).await.text().await.unwrap());
    visitor.post("/console/cases", &[("state", "all"), ("search", evil)]).await;
    pages.push(visitor.get("/console/cases?state=all&search=kept").await.text().await.unwrap());
    let fields = [("verdict", "decline"), ("reason", "</textarea><script>"), ("limit", evil), ("seen", "9")];
    pages.push(visitor.post(&format!("/console/cases/{case}/review"), &fields).await.text().await.unwrap());
    for page in pages {
        assert!(!page.contains("<script") && !page.contains("</textarea><"), "{page}");
        assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_stays_out_of_addresses_and_finds_by_name_and_by_code() {
    let console = Console::start().await;
    let firm = Specimen::new("绍兴虞舜伞业有限公司", 7, 3);
    console.refer(&firm).await;
    console.refer(&Specimen::new("上虞章镇茶叶有限公司", 8, 3)).await;
    let mut visitor = Visitor::logged_in(&console, Role::Officer).await;
    for search in ["虞舜", firm.uscc.as_str()] {
        let answer = visitor.post("/console/cases", &[("state", "all"), ("search", search)]).await;
        assert_eq!(answer.headers()[LOCATION], "/console/cases?state=all&search=kept");
        let page = visitor.get("/console/cases?state=all&search=kept").await.text().await.unwrap();
        assert!(page.contains("虞舜伞业") && !page.contains("章镇茶叶"));
        let addresses = page.split("href=\"").chain(page.split("action=\"")).map(|p| p.split('"').next().unwrap());
        assert!(addresses.skip(1).all(|a| !a.contains(firm.uscc.as_str())));
    }
    let page = visitor.get("/console/cases?state=all").await.text().await.unwrap();
    assert!(page.contains("章镇茶叶"), "without the mark in the address the search does not apply");
    let answer = visitor.post("/console/cases", &[("state", "asked"), ("search", " ")]).await;
    assert_eq!(answer.headers()[LOCATION], "/console/cases?state=asked");
    assert!(!visitor.cookie_header().contains("yuxin_search"), "an empty search is forgotten");

    let mut observer = Visitor::logged_in(&console, Role::Observer).await;
    let answer = observer.post("/console/cases", &[("state", "all"), ("search", "虞舜")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "a search by name would unmask the cases");
    let kept = firm.uscc.as_str().bytes().map(|b| format!("{b:02x}")).collect();
    observer.cookies.push(("yuxin_search".to_owned(), kept));
    let page = observer.get("/console/cases?search=kept").await.text().await.unwrap();
    assert_eq!(page.matches("91330604****").count(), 2, "nor does its cookie");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_queue_holds_25_cases_and_filters_by_reason_and_due_date() {
    let console = Console::start().await;
    for number in 0..27 {
        console.refer(&Specimen::new(&format!("第{number}厂"), number, 3)).await;
    }
    let mut late = Specimen::new("迟到厂", 90, 45);
    late.refer = vec![crate::support::specimen::refer("CODE_SUSPECT", None, &[])];
    console.refer(&late).await;
    let mut visitor = Visitor::logged_in(&console, Role::Supervisor).await;
    let mut rows = async |path: &str| {
        let page = visitor.get(path).await.text().await.unwrap();
        (page.matches("<th scope=\"row\" class=\"firm\">").count(), page)
    };
    let (first, page) = rows("/console/cases").await;
    assert_eq!(first, 25);
    let most_urgent = page.split("<th scope=\"row\" class=\"firm\">").nth(1).unwrap();
    assert!(most_urgent.contains("迟到厂") && most_urgent.contains("超期 15 天"));
    assert_eq!(rows("/console/cases?page=2").await.0, 3);
    assert_eq!(rows("/console/cases?page=99").await.0, 3, "a page beyond the last is the last");
    for path in ["/console/cases?reason=CODE_SUSPECT", "/console/cases?state=overdue"] {
        let (count, page) = rows(path).await;
        assert_eq!(count, 1, "{path}");
        assert!(page.contains("迟到厂") && page.contains("超期 15 天"));
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_pages_in_the_readers_language() {
    let console = Console::start().await;
    let case = console.refer(&Specimen::new("恒泰机械", 1, 3)).await;
    let review = format!("/console/cases/{case}/review");
    let mut visitor = Visitor::logged_in(&console, Role::Officer).await;
    for path in ["/console/nowhere", "/console/cases/not-an-id", "/console/cases/01890a5d-ac96-774b-bcce-b302099a8057"]
    {
        let answer = visitor.get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text().await.unwrap().contains("页面不存在"));
    }
    let answer = visitor.post(&review, &[("reason", &"长".repeat(20_000))]).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.text().await.unwrap().contains("内容过大"));
    let answer = visitor
        .post(&review, &[("seen", "0"), ("verdict", "approve"), ("limit", "501"), ("reason", "建议支持吧")])
        .await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().await.unwrap().contains("不能超过申请金额 500 万元"));

    assert_eq!(visitor.get("/console/logout").await.status(), StatusCode::NOT_FOUND, "logging out is not a link");
    assert_eq!(visitor.get(&review).await.headers()[LOCATION], review.trim_end_matches("/review"));

    let mut observer = Visitor::logged_in(&console, Role::Observer).await;
    let answer = observer.post(&review, &[("seen", "0"), ("verdict", "decline"), ("reason", "观察员不能办理")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains("没有权限"));
    let mut admin = Visitor::new(&console);
    admin.csrf = token(&admin.get("/console/login").await.text().await.unwrap());
    admin.post("/console/login", &[("name", "admin"), ("password", PASSWORD)]).await;
    let answer = admin.get(&format!("/console/cases/{case}")).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains("管理员不查看案件"));

    let request = Client::new().get(console.page("/console/nowhere")).header(ACCEPT_LANGUAGE, "en-GB,en;q=0.9");
    assert!(request.send().await.unwrap().text().await.unwrap().contains("Page not found"));
    let (case, _) = console.store.case(case).await.unwrap().unwrap();
    assert!(case.reviews.is_empty(), "no refused form left a trace");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_trickles_in_is_cut_off() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let console = Console::start().await;
    let address = console.address.trim_start_matches("http://").to_owned();
    let mut slow = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /console/login HTTP/1.1\r\nhost: {address}\r\ncontent-length: 100\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\nname="
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408 Re");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_are_told_alike_and_too_many_lock_the_name() {
    let console = Console::start().await;
    let mut told = Vec::new();
    for name in ["officer", "nobody"] {
        let mut visitor = Visitor::new(&console);
        visitor.csrf = token(&visitor.get("/console/login").await.text().await.unwrap());
        let mut statuses = Vec::new();
        for _ in 0..6 {
            let answer = visitor.post("/console/login", &[("name", name), ("password", "wrong wrong wrong")]).await;
            statuses.push(answer.status().as_u16());
            let page = answer.text().await.unwrap();
            told.push(page.split("id=\"login-error\">").nth(1).unwrap().split('<').next().unwrap().to_owned());
        }
        assert_eq!(statuses.first(), Some(&401));
        assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    }
    let (known, unknown) = told.split_at(6);
    assert_eq!(known, unknown);
    assert!(known[5].contains("5 分钟后再试"), "{}", known[5]);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_logged_in_is_led_to_the_case_after_the_log_in() {
    let console = Console::start().await;
    let case = console.refer(&Specimen::new("恒泰机械", 1, 3)).await;
    let mut visitor = Visitor::new(&console);
    let answer = visitor.get(&format!("/console/cases/{case}")).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let login = answer.headers()[LOCATION].to_str().unwrap().to_owned();
    visitor.csrf = token(&visitor.get(&login).await.text().await.unwrap());
    let fields = [("name", "officer"), ("password", PASSWORD), ("case", &case.to_string())];
    let answer = visitor.post("/console/login", &fields).await;
    assert_eq!(answer.headers()[LOCATION], format!("/console/cases/{case}").as_str());
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_officers_who_submit_at_once_do_not_both_close_the_case() {
    let console = Console::start().await;
    let case = console.refer(&Specimen::new("恒泰机械", 1, 3)).await;
    let review = format!("/console/cases/{case}/review");
    let mut officer = Visitor::logged_in(&console, Role::Officer).await;
    let mut supervisor = Visitor::logged_in(&console, Role::Supervisor).await;
    let decline = [("seen", "0"), ("verdict", "decline"), ("reason", "欠税未清，暂不同意")];
    let approve = [("seen", "0"), ("verdict", "approve"), ("limit", "100"), ("reason", "订单充足，建议支持")];
    let (one, other) = tokio::join!(officer.post(&review, &decline), supervisor.post(&review, &approve));
    let mut statuses = [one.status().as_u16(), other.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    let (case, _) = console.store.case(case).await.unwrap().unwrap();
    assert_eq!(case.reviews.len(), 1);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_asked_meanwhile_is_shown_before_a_review_is_taken() {
    let console = Console::start().await;
    let case = console.refer(&Specimen::new("恒泰机械", 1, 3)).await;
    let review = format!("/console/cases/{case}/review");
    let mut officer = Visitor::logged_in(&console, Role::Officer).await;
    console.review(case, Role::Supervisor, Verdict::Ask, "请补充工资表。").await;
    let stale = [("seen", "0"), ("verdict", "decline"), ("reason", "欠税未清，暂不同意")];
    let answer = officer.post(&review, &stale).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = answer.text().await.unwrap();
    assert!(page.contains("supervisor") && page.contains("请补充工资表。") && page.contains("欠税未清，暂不同意"));
    let fresh = [("seen", "1"), ("verdict", "decline"), ("reason", "欠税未清，暂不同意")];
    assert_eq!(officer.post(&review, &fresh).await.status(), StatusCode::SEE_OTHER);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_a_503_in_words() {
    let console = Console::start().await;
    let mut visitor = Visitor::logged_in(&console, Role::Officer).await;
    console.store.close().await;
    let answer = visitor.get("/console/cases").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text().await.unwrap().contains("暂时无法访问数据"));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_departments_page_tells_who_fails_and_how_to_those_who_look_after_them_without_any_firm() {
    let console = Console::start().await;
    let mut officer = Visitor::logged_in(&console, Role::Officer).await;
    let page = officer.get("/console/sources").await.text().await.unwrap();
    assert_eq!(page.matches("尚未调用").count(), 3);
    // Nobody listens where these departments should be.
    console.decide(crate::support::gathering::FIRM).await;
    let page = officer.get("/console/sources").await.text().await.unwrap();
    assert_eq!((page.matches("无法连接").count(), page.matches("最近 2 次调用").count()), (3, 3), "{page}");
    for name in ["税务部门", "社保部门", "履约记录"] {
        assert!(page.contains(name));
    }
    assert!(!page.contains(crate::support::gathering::FIRM) && !page.contains("departments-"));
    for role in [Role::Supervisor, Role::Admin] {
        let mut visitor = Visitor::logged_in(&console, role).await;
        assert_eq!(visitor.get("/console/sources").await.status(), StatusCode::OK, "{role}");
    }
    let mut observer = Visitor::logged_in(&console, Role::Observer).await;
    assert_eq!(observer.get("/console/sources").await.status(), StatusCode::FORBIDDEN);
    let answer = Visitor::new(&console).get("/console/sources").await;
    assert_eq!(answer.headers()[LOCATION], "/console/login?why=needed");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_of_a_firm_is_shown_to_those_who_may_know_it_without_its_code_in_an_address() {
    let console = Console::start().await;
    let specimen = Specimen::new("恒泰机械", 1, 3);
    let case = console.refer(&specimen).await;
    let code = specimen.uscc.to_string();
    for role in [Role::Observer, Role::Admin] {
        let mut visitor = Visitor::logged_in(&console, role).await;
        assert_eq!(visitor.get("/console/ledger").await.status(), StatusCode::FORBIDDEN, "{role}");
        let refused = visitor.post("/console/ledger", &[("uscc", &code)]).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{role}");
    }
    let mut visitor = Visitor::logged_in(&console, Role::Officer).await;
    visitor.get(&format!("/console/cases/{case}")).await;
    let empty = visitor.get("/console/ledger").await.text().await.unwrap();
    assert!(empty.contains("id=\"ledger-form\"") && !empty.contains("id=\"ledger\""));
    let answer = visitor.post("/console/ledger", &[("uscc", &code.to_lowercase())]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.unwrap();
    assert!(page.contains(crate::support::console::BANK) && page.contains("已作出决策"), "{page}");
    assert!(page.contains("财政局：officer") && page.contains("case_review"), "reading a case is a look too: {page}");
    assert!(page.split("href=\"").skip(1).all(|rest| !rest.split('"').next().unwrap().contains(&code)));
    let wrong = visitor.post("/console/ledger", &[("uscc", "<b>1")]).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = wrong.text().await.unwrap();
    assert!(page.contains("id=\"ledger-error\"") && !page.contains("<b>1"), "{page}");
    let unknown = visitor.post("/console/ledger", &[("uscc", "91330604MA2D7K3P92")]).await.text().await.unwrap();
    assert!(unknown.contains("没有人查询过"), "{unknown}");
    let forged = visitor.post_bare("/console/ledger", &[("uscc", &code), ("csrf", "x")]).await;
    assert_ne!(forged.status(), StatusCode::OK);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_shows_the_disputes_about_the_firm_and_what_was_judged_again() {
    use yuxin::domain::{Dispute, DisputeId, DisputedFact, Rescore, RescoreId, SourceKind, Standing, china_date};
    let console = Console::start().await;
    let id = console.refer(&Specimen::new("恒泰机械", 1, 3)).await;
    let path = format!("/console/cases/{id}");
    let mut officer = Visitor::logged_in(&console, Role::Officer).await;
    let section = "id=\"disputes\"";
    assert!(!officer.get(&path).await.text().await.unwrap().contains(section), "nothing to show");
    let (case, record) = console.store.case(id).await.unwrap().unwrap();
    let (standing, now) = (Standing::of(&record.decision), jiff::Timestamp::now());
    let dispute = Dispute {
        id: DisputeId(uuid::Uuid::now_v7()),
        decision: case.decision,
        bank: case.bank,
        uscc: case.uscc.clone(),
        fact: DisputedFact::part(Some(SourceKind::Tax), Some("arrears")),
        statement: "已经缴清".to_owned(),
        taken_by: None,
        with: standing.clone(),
        without: None,
        opened_at: now,
        due_at: Dispute::due_at(now),
        resolution: None,
    };
    console.store.open_dispute_once(&dispute, None, 5).await.unwrap();
    let rescore = Rescore {
        id: RescoreId(uuid::Uuid::now_v7()),
        decision: case.decision,
        bank: case.bank,
        on: china_date(now),
        at: now,
        left: Vec::new(),
        before: standing.clone(),
        after: Standing { score: 777, ..standing },
        model: record.decision.model.clone(),
        policy: record.decision.policy.clone(),
    };
    assert!(console.store.commit_rescore(&rescore).await.unwrap());
    let page = officer.get(&path).await.text().await.unwrap();
    let link = format!("/console/disputes/{}", dispute.id);
    assert!(page.contains(section) && page.contains(&link) && page.contains("待答复"), "{page}");
    assert!(page.contains("税务部门：欠缴"), "{page}");
    assert!(page.contains("该企业的异议与重评") && page.contains("重评后： 评分 777"), "{page}");
    let mut observer = Visitor::logged_in(&console, Role::Observer).await;
    let page = observer.get(&path).await.text().await.unwrap();
    assert!(page.contains(section) && !page.contains(&link) && !page.contains(case.uscc.as_str()), "{page}");
}
