use super::*;
use crate::domain::SourceKind;
use crate::sources::connector::paging::Paging;
use crate::sources::samples::firm;
use serde_json::json;

fn compiled(kind: SourceKind, map: &str) -> Result<Mapping, Vec<String>> {
    let mut problems = Vec::new();
    let mapping = Mapping::compile("x.map", toml::from_str(map).unwrap(), kind, &mut problems, &mut Vec::new());
    if problems.is_empty() { Ok(mapping) } else { Err(problems) }
}

fn applied(kind: SourceKind, map: &str, reply: &Value) -> Result<Value, Breach> {
    compiled(kind, map).unwrap().apply(reply, &Headers::default(), &firm())
}

const SOCIAL: &str = r#"
    uscc = "/e/unit/@code"
    as_of = { from = "/e/unit/date", format = "%Y年%m月%d日" }
    [months]
    from = "/e/unit/months/month"
    [months.each]
    month = { from = "/@ym", format = "%Y-%m" }
    heads = { from = "/insured", strip = ["人"] }
    base_fen = { from = "/base", unit_from = "/base/@unit" }
    due_fen = { from = "/due", unit = "wan_yuan" }
    paid_fen = { from = ["/paid", "/settled"], unit = "yuan", nothing = ["-"] }
"#;

fn month(ym: &str) -> Value {
    json!({"@ym": ym, "insured": {"#text": "12人"}, "base": {"@unit": "万元", "#text": "5.1234"}, "due": 1.2345, "paid": "-",
           "settled": "12,345.00"})
}

fn social(months: &Value) -> Value {
    json!({"e": {"unit": {"@code": firm(), "date": "2026年10月31日", "months": {"month": months}}}})
}

#[test]
fn json_that_was_xml_is_read_with_one_row_as_with_many() {
    let row = |month: &str| json!({"month": month, "heads": 12, "base_fen": 5_123_400, "due_fen": 1_234_500, "paid_fen": 1_234_500});
    let one = applied(SourceKind::SocialInsurance, SOCIAL, &social(&month("2026-10"))).unwrap();
    assert_eq!(one, json!({"uscc": firm(), "as_of": "2026-10-31", "months": [row("2026-10")]}));
    let two =
        applied(SourceKind::SocialInsurance, SOCIAL, &social(&json!([month("2026-09"), month("2026-10")]))).unwrap();
    assert_eq!(two["months"], json!([row("2026-09"), row("2026-10")]));
}

#[test]
fn whatever_a_reply_lacks_is_refused_with_its_place_unless_the_mapping_says_what_that_means() {
    for (pointer, value, place, problem) in [
        ("/e/unit/@code", json!("91330604MA2D7K3P92"), "/e/unit/@code", "another firm"),
        ("/e/unit/@code", json!(5), "/e/unit/@code", "not a unified"),
        ("/e/unit/date", json!(null), "/e/unit/date", "is null"),
        ("/e/unit/date", json!("2026-10-31"), "/e/unit/date", "not a date of the format"),
        ("/e/unit/months", json!({}), "/e/unit/months/month", "is not there"),
        ("/e/unit/months", json!(null), "/e/unit/months/month", "is not there"),
        ("/e/unit/months/month", json!("none"), "/e/unit/months/month", "a text where a list"),
        ("/e/unit/months/month/insured", json!(""), "/e/unit/months/month/0/insured", "not a number"),
        (
            "/e/unit/months/month/insured",
            json!({"@x": 1}),
            "/e/unit/months/month/0/insured",
            "an object where a single",
        ),
        (
            "/e/unit/months/month/base",
            json!({"#text": "5"}),
            "/e/unit/months/month/0/base/@unit",
            "must state the unit",
        ),
        ("/e/unit/months/month/settled", json!(null), "/e/unit/months/month/0/settled", "is null"),
    ] {
        let mut reply = social(&month("2026-10"));
        *reply.pointer_mut(pointer).unwrap() = value;
        let breach = applied(SourceKind::SocialInsurance, SOCIAL, &reply).unwrap_err();
        assert!(breach.pointer == place && breach.problem.contains(problem), "{breach}");
    }
}

#[test]
fn optional_is_not_shared_never_is_null_and_defaults_are_what_they_say() {
    let map = r#"
        uscc = "/code"
        as_of = "/on"
        name = { from = "/name", optional = true }
        status = { from = "/state", values = { "正常" = "normal", "非正常户" = "abnormal" } }
        arrears = { amount_fen = { from = "/owed", unit = "yuan" }, since = { from = "/since", optional = true }, optional = true }
        rating = { from = "/rating", grade = "/0", year = "/1", optional = true }
        [filings]
        from = "/rows"
        default = []
        where = { "/type" = ["VAT", "CIT"] }
        sort = ["month", "tax"]
        [filings.each]
        month = { from = "/period", format = ["%Y%m", "quarter"] }
        tax = { from = "/type", values = { VAT = "vat", CIT = "income_tax" } }
        declared_revenue_fen = { from = "/revenue", unit = "yuan" }
        due_fen = { from = "/due", unit = "yuan" }
        paid_fen = { from = "/paid", unit = "yuan", default = 0 }
        due_on = { from = "/period", format = ["%Y%m", "quarter"], plus_months = 1, day = 15 }
        filed_on = { from = "/filed", nothing = [""], default = "never" }
    "#;
    let bare = json!({"code": firm(), "on": "2026-10-31", "state": "正常"});
    let read = applied(SourceKind::Tax, map, &bare).unwrap();
    assert_eq!(read, json!({"uscc": firm(), "as_of": "2026-10-31", "status": "normal", "filings": []}));
    let full = json!({"code": firm(), "on": "2026-10-31", "state": "非正常户", "owed": "0", "rating": ["B", 2025], "name": null, "rows": [
        {"period": "2026Q3", "type": "CIT", "revenue": 5, "due": 1, "filed": "2026-10-10", "paid": 1},
        {"period": "202609", "type": "VAT", "revenue": 5, "due": 1, "filed": ""},
        {"period": "202609", "type": "STAMP"},
    ]});
    let read = applied(SourceKind::Tax, map, &full).unwrap();
    assert_eq!(read["arrears"], json!({"amount_fen": 0}));
    assert_eq!(read["rating"], json!({"grade": "B", "year": 2025}));
    let filing = |tax: &str, filed_on: Value, paid: i64| {
        json!({"month": "2026-09", "tax": tax, "declared_revenue_fen": 500, "due_fen": 100, "paid_fen": paid, "due_on": "2026-10-15",
               "filed_on": filed_on})
    };
    assert_eq!(read["filings"], json!([filing("income_tax", json!("2026-10-10"), 100), filing("vat", json!(null), 0)]));
    let odd = json!({"code": firm(), "on": "2026-10-31", "state": "吊销"});
    assert!(applied(SourceKind::Tax, map, &odd).unwrap_err().problem.contains("`values`"));
}

#[test]
fn a_rating_is_there_or_is_said_not_to_be_or_is_not_shared_and_the_mapping_tells_which() {
    let read = |rating: &str, reply: Value| {
        let map = format!("uscc = \"/code\"\nas_of = \"/on\"\nrating = {{ {rating} }}\n");
        let mut whole = json!({"code": firm(), "on": "2026-10-31"});
        whole.as_object_mut().unwrap().extend(reply.as_object().unwrap().clone());
        applied(SourceKind::Tax, &map, &whole).map(|record| record.get("rating").cloned())
    };
    let (of_b, none, not_shared) = (Some(json!({"grade": "B", "year": 2025})), Some(Value::Null), None);
    let place = "from = \"/r\", grade = \"/g\", year = \"/y\"";
    let [there, null, missing] = [json!({"r": {"g": "B", "y": 2025}}), json!({"r": null}), json!({})];
    for (more, expected) in [
        ("", [Ok(&of_b), Err(()), Err(())]),
        (", optional = true", [Ok(&of_b), Ok(&not_shared), Ok(&not_shared)]),
        (", null_is_none = true", [Ok(&of_b), Ok(&none), Err(())]),
        (", optional = true, null_is_none = true", [Ok(&of_b), Ok(&none), Ok(&not_shared)]),
        (", default = \"none\"", [Ok(&of_b), Ok(&none), Ok(&none)]),
    ] {
        for (reply, expected) in [&there, &null, &missing].into_iter().zip(expected) {
            let made = read(&format!("{place}{more}"), reply.clone());
            assert_eq!(made.as_ref().map_err(|_| ()), expected, "{more}: {reply}");
        }
    }
    let bare = "grade = \"/g\", year = \"/y\", optional = true, null_is_none = true";
    assert_eq!(read(bare, json!({"g": null, "y": null})), Ok(none.clone()));
    assert_eq!(read(bare, json!({})), Ok(None));
    let word = format!("{place}, optional = true, none_where = {{ \"/g\" = [\"未评级\", \"\"] }}");
    assert_eq!(read(&word, json!({"r": {"g": "未评级", "y": 2025}})), Ok(none.clone()));
    assert_eq!(read(&word, json!({"r": {"g": null, "y": 2025}})), Ok(none));
    assert!(read(&word, json!({"r": {"g": "E", "y": 2025}})).is_err());
    for wrong in [
        "arrears = { from = \"/r\", amount_fen = { from = \"/a\", unit = \"yuan\" }, null_is_none = true }",
        "rating = { from = \"/r\", grade = \"/g\", year = \"/y\", optional = true, default = \"none\" }",
        "rating = { from = \"/r\", grade = \"/g\", year = \"/y\", default = \"zeros\" }",
    ] {
        let map = format!("uscc = \"/code\"\nas_of = \"/on\"\n{wrong}\n");
        assert_eq!(compiled(SourceKind::Tax, &map).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn months_without_a_row_become_rows_of_zeros_only_where_the_mapping_says_so_and_only_between_rows() {
    let map = |gaps: &str| {
        format!(
            "uscc = \"/code\"\nas_of = \"/on\"\n[months]\nfrom = \"/rows\"\nsort = \"month\"\n{gaps}\n[months.each]\nmonth = \"/m\"\n\
             heads = \"/n\"\nbase_fen = {{ from = \"/b\", unit = \"fen\" }}\ndue_fen = {{ from = \"/b\", unit = \"fen\" }}\n\
             paid_fen = {{ from = \"/b\", unit = \"fen\" }}\n"
        )
    };
    let row = |month: &str| json!({"m": month, "n": 3, "b": 5});
    let reply = json!({"code": firm(), "on": "2026-12-31", "rows": [row("2026-10"), row("2026-07"), row("2026-08")]});
    let months = |gaps: &str| {
        let record = applied(SourceKind::SocialInsurance, &map(gaps), &reply).unwrap();
        let rows = record["months"].as_array().unwrap().clone();
        rows.iter().map(|row| (row["month"].as_str().unwrap().to_owned(), row["heads"].clone())).collect::<Vec<_>>()
    };
    let of = |month: &str, heads: i64| (month.to_owned(), json!(heads));
    assert_eq!(months(""), [of("2026-07", 3), of("2026-08", 3), of("2026-10", 3)]);
    assert_eq!(months("gaps = \"zeros\""), [of("2026-07", 3), of("2026-08", 3), of("2026-09", 0), of("2026-10", 3)]);
}

#[test]
fn the_date_of_a_record_is_never_one_of_the_mappings_own() {
    for as_of in [
        "{ value = \"2026-10-31\" }",
        "{ from = \"/on\", default = \"2026-10-31\" }",
        "{ from = \"/on\", optional = true }",
        "{ from = [\"header:X-Date\", \"/on\"] }",
    ] {
        let map = format!("uscc = \"/code\"\nas_of = {as_of}\n");
        assert!(compiled(SourceKind::Court, &map).unwrap_err()[0].starts_with("x.map.as_of: "), "{as_of}");
    }
    let elsewhere = "uscc = \"/code\"\nas_of = \"/on\"\nname = { from = \"header:X-Name\" }\n";
    assert!(compiled(SourceKind::Tax, elsewhere).unwrap_err()[0].contains("as_of only"));
}

#[test]
fn rows_of_both_directions_become_one_month_and_entries_by_name_become_rows() {
    let side = |direction: &str, default: &str| {
        format!(
            r#"where = {{ "/dir" = "{direction}" }}
            {default}
            count = "/n"
            amount_fen = {{ from = "/sum", unit = "yuan" }}
            tax_fen = {{ value = 0 }}
            counterparties = "/n"
            void_count = {{ value = 0 }}
            red_count = {{ value = 0 }}
            red_amount_fen = {{ value = 0 }}
            top_share = {{ from = "/top", unit = "percent" }}"#
        )
    };
    let map = format!(
        "uscc = \"/code\"\nas_of = \"/on\"\n[invoices]\nfrom = \"/rows\"\ngroup_by = \"/ym\"\n[invoices.each]\nmonth = \"/0/ym\"\n\
         [invoices.each.sales]\n{}\n[invoices.each.purchases]\n{}\n",
        side("销项", ""),
        side("进项", "default = \"zeros\"")
    );
    let row = |ym: &str, dir: &str, n: u32| json!({"ym": ym, "dir": dir, "n": n, "sum": "10.5", "top": "47.72%"});
    let reply = |rows: Value| json!({"code": firm(), "on": "2026-10-31", "rows": rows});
    let rows = json!([row("2026-09", "销项", 3), row("2026-10", "销项", 5), row("2026-09", "进项", 4)]);
    let read = applied(SourceKind::Tax, &map, &reply(rows)).unwrap();
    assert_eq!(read["invoices"][0]["sales"]["count"], 3);
    assert_eq!(read["invoices"][0]["purchases"]["count"], 4);
    assert_eq!(read["invoices"][0]["sales"]["top_share"], 0.4772);
    assert_eq!(read["invoices"][1]["purchases"]["amount_fen"], 0);
    let twice = json!([row("2026-09", "销项", 3), row("2026-09", "销项", 5)]);
    assert!(applied(SourceKind::Tax, &map, &reply(twice)).unwrap_err().problem.contains("more than one row"));

    let keyed = r#"
        uscc = "/code"
        as_of = "/on"
        supplier_delays = { from = "/delays", keyed = true, sort = "month", each = { month = "@key", days = "/d" } }
    "#;
    let reply = json!({"code": firm(), "on": "2026-10-31", "delays": {"2026-10": {"d": "-1.5"}, "2026-09": {"d": 3}}});
    let read = applied(SourceKind::PaymentHistory, keyed, &reply).unwrap();
    assert_eq!(read["supplier_delays"], json!([{"month": "2026-09", "days": 3.0}, {"month": "2026-10", "days": -1.5}]));
}

#[test]
fn rows_inside_entries_know_their_entry_and_a_month_may_be_in_two_places() {
    let each = r#"
        heads = "/人数"
        base_fen = { from = "/base", unit = "qian_yuan" }
        due_fen = { from = "/due", unit = "stated" }
        paid_fen = { from = "../paid", unit = "yuan" }
    "#;
    let map = |list: &str, month: &str| {
        format!(
            "uscc = \"/h/code\"\nas_of = {{ from = \"/h/at\", format = \"epoch_ms\" }}\n[months]\n{list}\n[months.each]\nmonth = {month}\n{each}"
        )
    };
    let row = |number: Value| json!({"m": number, "人数": "1,012", "base": "1,234.5", "due": "0.5万元"});
    let head = json!({"code": firm().as_str().to_lowercase(), "at": 1_793_376_000_000i64});
    let expected = |month: &str| json!({"month": month, "heads": 1012, "base_fen": 123_450_000, "due_fen": 500_000, "paid_fen": 700});

    let years = json!({"h": head, "years": [{"y": 2025, "paid": 7, "months": [row(json!("12"))]}, {"y": 2026, "paid": 7, "months": []},
                                            {"y": 2027, "paid": 7, "months": [row(json!(1))]}]});
    let years_map = map("from = \"/years\"\ninner = \"/months\"", "{ join = [\"../y\", \"/m\"] }");
    let read = applied(SourceKind::SocialInsurance, &years_map, &years).unwrap();
    assert_eq!(read["months"], json!([expected("2025-12"), expected("2027-01")]));
    assert_eq!(read["as_of"], "2026-10-31");

    let entries = json!({"h": head, "by": {"2026/10": {"paid": 7, "rows": [row(json!(null))]}, "2026/09": {"paid": 7, "rows": [row(json!(null))]}}});
    let keyed = "from = \"/by\"\nkeyed = true\ninner = \"/rows\"\nsort = \"month\"";
    let keyed = map(keyed, "{ from = \"@key\", format = \"%Y/%m\" }");
    let read = applied(SourceKind::SocialInsurance, &keyed, &entries).unwrap();
    assert_eq!(read["months"], json!([expected("2026-09"), expected("2026-10")]));

    for (pointer, value, place, problem) in [
        ("/years/0/months", json!(null), "/years/0/months", "null where a list"),
        ("/years/0", json!({"y": 2025, "paid": 7}), "/years/0/months", "is not there"),
        ("/years/0/y", json!(null), "../y", "is null"),
        ("/years/0/y", json!("二五"), "/years/0/months/0", "not a date of the format"),
        ("/years/0/paid", json!("x"), "../paid", "not a number"),
    ] {
        let mut years = years.clone();
        *years.pointer_mut(pointer).unwrap() = value;
        let breach = applied(SourceKind::SocialInsurance, &years_map, &years).unwrap_err();
        assert!(breach.pointer == place && breach.problem.contains(problem), "{breach}");
    }
}

#[test]
fn what_means_nothing_is_said_for_lists_and_objects_too_and_a_word_may_stand_for_all_others() {
    let map = r#"
        uscc = "/code"
        as_of = { from = "/on", format = "iso" }
        status = { from = "/state", values = { "是" = "normal", "注销" = "deregistered", "*" = "abnormal" } }
        arrears = { from = "/owed", nothing = ["", "[]"], optional = true, amount_fen = { from = "/sum", unit = "yuan" } }
        filings = { from = "/rows", nothing = ["--"], optional = true, each = { month = "/m", tax = { value = "vat" }, declared_revenue_fen = { value = 0 },
            due_fen = { value = 0 }, paid_fen = { value = 0 }, due_on = "/on", filed_on = "/on" } }
    "#;
    let reply = |state: &str, owed: Value, rows: Value| {
        let reply = json!({"code": firm(), "on": "2026-10-30T16:00:00Z", "state": state, "owed": owed, "rows": rows});
        applied(SourceKind::Tax, map, &reply)
    };
    let bare = json!({"uscc": firm(), "as_of": "2026-10-31", "status": "normal"});
    assert_eq!(reply("是", json!(""), json!("--")), Ok(bare.clone()));
    assert_eq!(reply("是", json!([]), json!(null)), Ok(bare));
    let full = reply("否", json!({"sum": 1}), json!([])).unwrap();
    assert_eq!((&full["status"], &full["filings"]), (&json!("abnormal"), &json!([])));
    assert_eq!(full["arrears"], json!({"amount_fen": 100}));
    // Only what the mapping names means nothing.
    assert!(reply("是", json!("--"), json!(null)).is_err());
    assert!(reply("是", json!(null), json!("")).unwrap_err().problem.contains("an empty text where a list"));
}

#[test]
fn a_wrong_mapping_is_explained_all_of_it_with_the_place_of_each_mistake() {
    let problems = compiled(
        SourceKind::Tax,
        r#"
        as_of = { from = "/on", format = "%Y%m" }
        nmae = "/name"
        status = { from = "/s", values = { "正常" = "fine" } }
        declared_heads = { from = "heads" }
        total_assets_fen = "/assets"
        registered_on = { from = "/r", frmat = "%Y" }
        arrears = { amount_fen = { from = "/a", unit = "dollars" } }
        [filings]
        from = "/rows"
        sort = "due"
        [filings.each]
        month = "/m"
        filed_on = { from = "/f", optional = true }
        "#,
    )
    .unwrap_err();
    for expected in [
        "x.map: uscc must be a JSON pointer",
        "x.map.as_of: the format \"%Y%m\" names no day",
        "x.map: there is no field nmae; the fields are as_of, name",
        "x.map.status: `values` leads to \"fine\"",
        "x.map.declared_heads: \"heads\" is not a JSON pointer",
        "x.map.total_assets_fen: needs `unit`",
        "x.map.registered_on: unknown field `frmat`",
        "x.map.arrears.amount_fen: \"dollars\" is no unit here",
        "x.map.filings: cannot be sorted by due",
        "x.map.filings.each: lacks tax, which the record must have",
        "x.map.filings.each.filed_on: cannot be optional",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{expected}: {problems:#?}");
    }
}

#[test]
fn keys_of_a_mapping_that_exclude_each_other_are_refused() {
    let problems = compiled(
        SourceKind::SocialInsurance,
        r#"
        uscc = "/code"
        as_of = { from = "/on", join = ["/y", "/m"] }
        [months]
        from = "/years"
        inner = "../months"
        group_by = "@key"
        where = { "^/kind" = "x" }
        [months.each]
        month = { join = ["/y", "/m"], value = "2026-01" }
        heads = { join = ["/a", "/b"] }
        base_fen = { join = [], unit = "yuan" }
        due_fen = { value = 0 }
        paid_fen = { value = 0 }
        "#,
    )
    .unwrap_err();
    for (place, problem) in [
        ("x.map.as_of", "both `from` and `join`"),
        ("x.map.months", "both `inner` and `group_by`"),
        ("x.map.months", "`inner` is relative to the row"),
        ("x.map.months", "`group_by` is relative to the row"),
        ("x.map.months", "`where` is relative to the row"),
        ("x.map.months.each.month", "both `value` and a place"),
        ("x.map.months.each.heads", "`join` is for days"),
        ("x.map.months.each.base_fen", "names no place"),
    ] {
        let told = problems.iter().any(|told| told.starts_with(&format!("{place}: ")) && told.contains(problem));
        assert!(told, "{place}: {problem}: {problems:?}");
    }
}

#[test]
fn a_further_page_says_what_the_first_says_of_the_firm_or_nothing() {
    let map = r#"
        uscc = "/d/code"
        as_of = "/d/on"
        status = { from = "/d/state", values = { "存续" = "normal", "注销" = "deregistered" }, optional = true }
        industry = { from = "/d/sector", nothing = ["-"], optional = true }
        total_assets_fen = { from = "/d/assets/sum", unit_from = "/d/assets/unit", optional = true }
        declared_heads = { from = "/d/rows/0/heads", optional = true }
        [arrears]
        from = "/d/owed"
        optional = true
        amount_fen = { from = "/sum", unit = "fen" }
        since = "/since"
        [invoices]
        from = "/d/tickets"
        optional = true
        each = { month = "/m" }
        [filings]
        from = "/d/rows"
        each = { month = "/m" }
    "#;
    let mut problems = Vec::new();
    let mapping =
        Mapping::compile("x.map", toml::from_str(map).unwrap(), SourceKind::Tax, &mut problems, &mut Vec::new());
    let mut told = Vec::new();
    let wire = toml::from_str("style = \"page\"\nitems = \"/d/rows\"\ntotal_items = \"/d/total\"").unwrap();
    let paging = Paging::read("x.paging", wire, |_| true, &mut told);
    let first = json!({"d": {"code": "x", "on": "y", "state": "存续", "sector": "-", "total": 4, "page": 1,
        "assets": {"sum": "5", "unit": "元"}, "owed": {"sum": 7, "since": null, "asked": 1}, "tickets": [{"m": "2026-10"}],
        "rows": [{"m": "2026-09", "heads": 4}]}});
    let same = |changes: &[(&str, Value)]| {
        let mut page = first.clone();
        page["d"]["rows"] = json!([{"m": "2026-10", "heads": 5}]);
        page["d"]["page"] = json!(2);
        for (pointer, value) in changes {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            page.pointer_mut(parent).unwrap()[name] = value.clone();
        }
        let headers = Headers::default();
        mapping.same_parts((&first, &headers), (&page, &headers), &paging)
    };
    assert!(same(&[]));
    for (pointer, value) in [
        ("/d/state", Value::Null),
        ("/d/state", json!(" 存续")),
        ("/d/sector", Value::Null),
        ("/d/owed", Value::Null),
        ("/d/owed/asked", json!(2)),
        ("/d/owed/sum", json!("7")),
        ("/d/tickets", Value::Null),
    ] {
        assert!(same(&[(pointer, value.clone())]), "{pointer} {value}");
    }
    for (pointer, value) in [
        ("/d/state", json!("注销")),
        ("/d/sector", json!("C33")),
        ("/d/assets/sum", json!("6")),
        ("/d/assets/unit", json!("万元")),
        ("/d/owed/sum", json!(8)),
        ("/d/owed/since", json!("2026-01-01")),
        ("/d/tickets", json!([])),
        ("/d/tickets", json!([{"m": "2026-09"}])),
    ] {
        assert!(!same(&[(pointer, value.clone())]), "{pointer} {value}");
    }
}
