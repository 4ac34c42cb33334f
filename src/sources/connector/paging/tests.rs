use super::*;
use serde_json::json;

fn paging(toml: &str) -> Paging {
    let mut problems = Vec::new();
    let paging = Paging::read("x.paging", toml::from_str(toml).unwrap(), |name| name != Name::Size, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    paging
}

#[test]
fn each_way_of_saying_that_it_is_the_last_page_is_understood() {
    for (toml, page, more) in [
        ("style = \"page\"\nitems = \"/l\"\nsize = 2", json!({"l": [1, 2]}), true),
        ("style = \"page\"\nitems = \"/l\"\nsize = 2", json!({"l": [1]}), false),
        ("style = \"page\"\nitems = \"/l\"\nsize = 2\ntotal_pages = \"/n\"", json!({"l": [1, 2], "n": "2"}), true),
        ("style = \"page\"\nitems = \"/l\"\nsize = 2\ntotal_pages = \"/n\"", json!({"l": [1, 2], "n": 1}), false),
        ("style = \"offset\"\nitems = \"/l\"\nsize = 2\ntotal_items = \"/n\"", json!({"l": [1, 2], "n": 3}), true),
        ("style = \"offset\"\nitems = \"/l\"\nsize = 2\ntotal_items = \"/n\"", json!({"l": [1, 2], "n": 2}), false),
        ("style = \"page\"\nitems = \"/l\"\nsize = 2\nhas_more = \"/m\"", json!({"l": [1, 2], "m": false}), false),
        ("style = \"cursor\"\nitems = \"/l\"\nnext = \"/c\"", json!({"l": [1, 2], "c": "x"}), true),
        ("style = \"cursor\"\nitems = \"/l\"\nnext = \"/c\"", json!({"l": [1, 2], "c": null}), false),
        ("style = \"cursor\"\nitems = \"/l\"\nnext = \"/c\"", json!({"l": [1, 2], "c": ""}), false),
        ("style = \"next_link\"\nitems = \"/l\"\nnext = \"/c\"", json!({"l": [1, 2]}), false),
    ] {
        let paging = paging(toml);
        let next = paging.next(&mut paging.begin(page.clone()), &page, &Headers::default()).unwrap();
        assert_eq!(next != Next::End, more, "{toml}: {page}");
    }
}

#[test]
fn a_header_that_cannot_be_read_is_not_taken_for_the_end_of_the_list() {
    let page = json!({"l": [1, 2], "n": 9});
    for (toml, name, good) in [
        ("style = \"cursor\"\nitems = \"/l\"\nnext = \"header:x-next\"", "x-next", &b"c2"[..]),
        ("style = \"next_link\"\nitems = \"/l\"\nnext = \"header:Link\"", "link", b"</b>; rel=\"next\""),
        ("style = \"page\"\nitems = \"/l\"\nsize = 2\ntotal_items = \"header:x-total\"", "x-total", b"9"),
        ("style = \"page\"\nitems = \"/l\"\nsize = 2\nhas_more = \"header:x-more\"", "x-more", b"true"),
    ] {
        let paging = paging(toml);
        let next = |headers: &[(&'static str, &[u8])]| {
            paging.next(&mut paging.begin(page.clone()), &page, &Headers::of(headers))
        };
        assert!(matches!(next(&[(name, good)]), Ok(Next::Page(_))), "{toml}");
        for bad in ["下一页".as_bytes(), b"c\xff2"] {
            // Alone, and beside one that can be read.
            for headers in [&[(name, bad)][..], &[(name, good), (name, bad)]] {
                let refusal = next(headers).unwrap_err();
                assert_eq!(refusal.status(), crate::domain::EvidenceStatus::Invalid, "{toml}");
                assert!(refusal.to_string().contains("cannot be read"), "{toml}: {refusal}");
            }
        }
    }
}

#[test]
fn pages_that_do_not_make_one_record_are_refused() {
    let problem = |toml: &str, pages: &[Value]| {
        let paging = paging(toml);
        let mut gathered = paging.begin(pages[0].clone());
        let mut next = paging.next(&mut gathered, &pages[0], &Headers::default());
        for page in &pages[1..] {
            assert!(matches!(next, Ok(Next::Page(_))), "{next:?}");
            paging.add(&mut gathered, page).unwrap();
            next = paging.next(&mut gathered, page, &Headers::default());
        }
        next.unwrap_err().to_string()
    };
    let total = "style = \"page\"\nitems = \"/l\"\nsize = 2\ntotal_items = \"/n\"";
    assert!(problem(total, &[json!({"l": [1, 2], "n": 4}), json!({"l": [], "n": 4})]).contains("page 2"));
    assert!(problem(total, &[json!({"l": [1, 2], "n": 1})]).contains("more rows"));
    assert!(problem(total, &[json!({"l": [1, 2]})]).contains("whole number"));
    let cursor = "style = \"cursor\"\nitems = \"/l\"\nnext = \"/c\"";
    assert!(problem(cursor, &[json!({"l": [1], "c": "x"}), json!({"l": [2], "c": "x"})]).contains("back to itself"));
    let endless = "style = \"page\"\nitems = \"/l\"\nsize = 1\npages_max = 2";
    assert!(problem(endless, &[json!({"l": [1]}), json!({"l": [2]})]).contains("pages_max"));
}

#[test]
fn the_rows_of_all_pages_come_together_in_order_also_where_one_was_an_object() {
    let paging = paging("style = \"page\"\nitems = [\"/a\", \"/b/row\"]\nsize = 1");
    let mut gathered = paging.begin(json!({"a": [1], "b": {"row": {"x": 1}}}));
    paging.add(&mut gathered, &json!({"a": [2, 3], "b": {"row": {"x": 2}}})).unwrap();
    paging.add(&mut gathered, &json!({"a": [], "b": {"row": [{"x": 3}]}})).unwrap();
    assert_eq!(gathered.whole, json!({"a": [1, 2, 3], "b": {"row": [{"x": 1}, {"x": 2}, {"x": 3}]}}));
    assert_eq!((gathered.pages, gathered.rows), (3, 6));
}

#[test]
fn a_list_is_null_at_the_end_only_where_no_page_brings_any_of_it() {
    let paging = paging("style = \"page\"\nitems = [\"/d/a\", \"/d/b\", \"/d/c\"]\nsize = 2\ntotal_items = \"/n\"");
    let pages = [
        json!({"n": 5, "d": {"a": [1, 2], "b": [], "c": null}}),
        json!({"n": 5, "d": {"a": [3], "b": [4], "c": null}}),
        json!({"n": 5, "d": {"b": [5], "c": null}}),
    ];
    let mut gathered = paging.begin(pages[0].clone());
    for page in &pages[1..] {
        assert_eq!(paging.next(&mut gathered, page, &Headers::default()), Ok(Next::Page(None)));
        paging.add(&mut gathered, page).unwrap();
    }
    assert_eq!(paging.next(&mut gathered, &pages[2], &Headers::default()), Ok(Next::End));
    assert_eq!(gathered.whole["d"], json!({"a": [1, 2, 3], "b": [4, 5], "c": null}));
    // A list that the first page leaves out, since none of its rows are there, is no other list.
    let mut gathered = paging.begin(json!({"n": 2, "d": {"a": [1]}}));
    paging.add(&mut gathered, &json!({"n": 2, "d": {"b": [2]}})).unwrap();
    assert_eq!(gathered.whole["d"], json!({"a": [1], "b": [2]}));
}

#[test]
fn a_page_that_lost_its_list_is_no_page_and_a_list_is_null_on_every_page_or_on_none() {
    for end in [
        "style = \"page\"\nsize = 1",
        "style = \"cursor\"\nnext = \"/c\"",
        "style = \"page\"\nsize = 1\nhas_more = \"/m\"",
    ] {
        let paging = paging(&format!("{end}\nitems = \"/l\""));
        for (first, second) in [
            (json!({"l": [1]}), json!({"error": "internal"})),
            (json!({"l": [1]}), json!({"l": null})),
            (json!({"l": null}), json!({"l": [1]})),
        ] {
            let refused = paging.add(&mut paging.begin(first), &second).unwrap_err();
            assert!(refused.to_string().contains("on every page, or on none"), "{refused}");
        }
        paging.add(&mut paging.begin(json!({"l": null})), &json!({"l": null})).unwrap();
    }
}

#[test]
fn totals_that_contradict_the_pages_are_refused() {
    let paging = paging("style = \"page\"\nitems = \"/l\"\nsize = 2\ntotal_pages = \"/n\"");
    let second = |page: Value| {
        let first = json!({"l": [1, 2], "n": 3});
        let mut gathered = paging.begin(first.clone());
        paging.next(&mut gathered, &first, &Headers::default()).unwrap();
        paging.add(&mut gathered, &page).unwrap();
        paging.next(&mut gathered, &page, &Headers::default()).unwrap_err().to_string()
    };
    assert!(second(json!({"l": [3], "n": 3})).contains("fewer rows than the first"));
    assert!(second(json!({"l": [3, 4], "n": 2})).contains("another total"));
    let none = json!({"l": [1, 2], "n": 0});
    assert!(paging.next(&mut paging.begin(none.clone()), &none, &Headers::default()).is_err());
}

#[test]
fn entries_by_name_come_together_and_one_that_was_divided_goes_on() {
    let paging = paging("style = \"cursor\"\nitems = \"/m\"\nnext = \"/c\"\nkeyed = true");
    let mut gathered = paging.begin(json!({"m": {"2026/10": [1, 2]}}));
    paging.add(&mut gathered, &json!({"m": {"2026/10": [3], "2026/09": [4]}})).unwrap();
    assert_eq!(gathered.whole["m"], json!({"2026/10": [1, 2, 3], "2026/09": [4]}));
    assert_eq!(gathered.rows, 4);
    let mut gathered = paging.begin(json!({"m": {"2026/10": {"a": 1}}}));
    let refused = paging.add(&mut gathered, &json!({"m": {"2026/10": {"a": 2}}})).unwrap_err();
    assert!(refused.to_string().contains("repeats an entry"), "{refused}");
}

#[test]
fn the_next_page_of_a_link_header_is_the_one_that_is_called_next() {
    for (header, next) in [
        ("<https://h/a?page=2>; rel=\"next\", <https://h/a?page=9>; rel=\"last\"", Some("https://h/a?page=2")),
        ("</a?x=1,2>; rel=first, </a?x=3>; title=\"b\"; rel=\"next last\"", Some("/a?x=3")),
        ("<https://h/a?page=1>; rel=\"prev\"", None),
        ("", None),
    ] {
        assert_eq!(next_link(header).as_deref(), next, "{header}");
    }
}
