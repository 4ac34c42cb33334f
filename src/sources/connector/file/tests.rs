use super::*;
use crate::settings::Settings;

fn loaded(text: &str) -> Result<Connectors, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sources.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("secret"), "s3cret-in-a-file\n").unwrap();
    let mut settings = Settings::with_overrides("").unwrap().sources;
    settings.connectors = file;
    Connectors::load(&settings).map_err(|error| error.to_string())
}

/// The address that a connector of the kind tax asks about the samples' firm.
fn address(base_url: &str, path: &str) -> Result<String, String> {
    let table = format!("[tax]\nbase_url = {base_url:?}\npath = {path:?}\n");
    let connector = loaded(&table)?.take(SourceKind::Tax).unwrap();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let filled = Filled { uscc: "91330604MA2XY0014W", now, page: 1, offset: 0, size: 1, cursor: None };
    Ok(connector.url(&filled).unwrap().to_string())
}

#[test]
fn base_url_and_path_are_joined_by_one_slash() {
    let url = Ok("https://tax.example:8443/gate/v1/firms/91330604MA2XY0014W".to_owned());
    for base_url in ["https://tax.example:8443/gate", "https://tax.example:8443/gate/"] {
        assert_eq!(address(base_url, "/v1/firms/{uscc}"), url);
    }
    let query = address("http://[::1]:80", "/firms?code={uscc}&full=1").unwrap();
    assert_eq!(query, "http://[::1]/firms?code=91330604MA2XY0014W&full=1");
}

#[test]
fn addresses_that_cannot_be_asked_are_refused_at_the_start_without_repeating_a_password() {
    for (base_url, path) in [
        ("ftp://u:secret@host", "/{uscc}"),
        ("http://u:secret@host:99999", "/{uscc}"),
        ("u:secret@host", "/{uscc}"),
        ("http://u:secret@{uscc}.host", "/{uscc}"),
        ("http://u:secret@host/?a=1", "/{uscc}"),
        ("http://u:secret@host", "/firms"),
        ("http://u:secret@host", "/{uscc}#top"),
    ] {
        let refusal = address(base_url, path).unwrap_err();
        assert!(refusal.contains("tax") && !refusal.contains("u:secret"), "{refusal}");
    }
}

#[test]
fn what_can_lose_rows_unseen_or_shows_a_password_is_warned_of() {
    let warned = |base_url: &str, paging: &str| {
        let table = format!(
            "[social_insurance]\nbase_url = {base_url:?}\npath = \"/{{uscc}}?p={{page}}&n={{size}}\"\n[social_insurance.paging]\n\
             style = \"page\"\nitems = \"/l\"\nsize = 10\n{paging}\n[social_insurance.map]\nuscc = \"/c\"\nas_of = \"/d\"\n\
             [social_insurance.map.months]\nfrom = \"/l\"\n[social_insurance.map.months.each]\nmonth = \"/m\"\nheads = \"/n\"\n\
             base_fen = {{ from = \"/b\", unit = \"yuan\" }}\ndue_fen = {{ from = \"/b\", unit = \"yuan\" }}\n\
             paid_fen = {{ from = \"/b\", unit = \"yuan\" }}\n"
        );
        loaded(&table).unwrap().warnings
    };
    let warnings = warned("http://host", "");
    assert!(warnings.len() == 1 && warnings[0].contains("lost unseen"), "{warnings:?}");
    for told in ["total_items = \"/t\"", "total_pages = \"/t\"", "has_more = \"/t\"", "until = \"empty\""] {
        assert_eq!(warned("http://host", told), Vec::<String>::new(), "{told}");
    }
    let warnings = warned("http://u:hush@host", "until = \"empty\"");
    assert!(warnings.len() == 1 && warnings[0].contains("password") && !warnings[0].contains("hush"), "{warnings:?}");
}

#[test]
fn what_a_signature_consists_of_is_sent_and_what_makes_none_is_refused() {
    let refused = |auth: &str| {
        let table = format!("[tax]\nbase_url = \"http://host\"\n[tax.auth]\nkey_id = \"k\"\nsecret = \"s\"\n{auth}\n");
        loaded(&table).err().unwrap_or_default()
    };
    for (auth, said) in [
        ("scheme = \"hmac_sm3\"\nheaders = { nonce = \"\" }", "nonce is signed and not sent"),
        ("scheme = \"hmac_sm3\"\nheaders = { signature = \"\" }", "the signature must be sent"),
        ("scheme = \"hmac_sm3\"\nheaders = { nonce = \"N\" }\nquery = { nonce = \"n\" }", "nonce has a place both"),
        ("scheme = \"hmac_sm3\"\nsign = [\"path\", \"secret\"]", "`secret` is for the schemes digest"),
        ("scheme = \"digest_sm3\"", "must name `secret`"),
        ("scheme = \"hmac_sm3\"\nheaders = { nonce = \"\" }\nsign = [\"path\", \"timestamp\"]", ""),
        ("scheme = \"digest_sm3\"\nsign = [\"key_id\", \"timestamp\", \"secret\"]", ""),
    ] {
        let told = refused(auth);
        assert!(if said.is_empty() { told.is_empty() } else { told.contains(said) }, "{auth}: {told}");
    }
}

#[test]
fn without_a_table_a_department_has_the_standard_shape_at_the_address_of_the_settings() {
    let mut connectors = loaded("").unwrap();
    for kind in SourceKind::ALL {
        let connector = connectors.take(kind).unwrap();
        assert!(connector.mapping.is_none() && connector.base_url == "http://127.0.0.1:8090");
    }
}

#[test]
fn a_named_file_that_is_not_there_is_refused_and_the_default_one_may_be_missing() {
    let mut settings = Settings::with_overrides("").unwrap().sources;
    settings.connectors = "nowhere/sources.toml".into();
    let refusal = Connectors::load(&settings).err().unwrap().to_string();
    assert!(refusal.contains("nowhere/sources.toml") && refusal.contains("sources.connectors"), "{refusal}");
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_no_secret_with_it() {
    let refusal = loaded(
        r#"
        [tax]
        path = "/api"
        query = { page = "{page}" }
        [tax.auth]
        scheme = "bearer"
        token = { env = "YUXIN_TEST_NOT_SET" }
        [tax.map]
        as_of = "/on"
        [justice]
        base_url = "http://court.example"
        [social_insurance.paging]
        style = "cursor"
        items = "/rows"
        [social_insurance.auth]
        scheme = "oauth2"
        token_url = "token"
        client_id = "yuxin"
        client_secret = "hunter2"
        [court]
        path = "/{uscc}"
        [[payment_history.rules]]
        at = "bills"
        rows_min = 3
        "#,
    )
    .err()
    .unwrap();
    for expected in [
        "tax: {uscc}, where the firm's code goes, must occur",
        "tax: has a placeholder of pages and no paging",
        "tax.auth.token: the environment variable that `env` names is not set",
        "tax.map: uscc must be a JSON pointer",
        "justice: needs `kind`",
        "court: needs `base_url` and `path`",
        "social_insurance.paging: {cursor} must occur",
        "social_insurance.paging: `next`, a JSON pointer",
        "social_insurance.auth.token_url: is not an address",
        "payment_history.rules, number 1: `at` must be a pointer",
    ] {
        assert!(refusal.contains(expected), "{expected}:\n{refusal}");
    }
    assert!(!refusal.contains("hunter2"));
}

#[test]
fn toml_that_cannot_be_read_is_told_by_its_line_and_without_the_text_of_it() {
    let refusal = loaded("[tax]\n[tax.auth]\nscheme = \"bearer\"\ntoken = { value = \"hunter2\" }\n").err().unwrap();
    assert!(refusal.contains("line 2") && !refusal.contains("hunter2"), "{refusal}");
    let refusal = loaded("[tax]\ncolour = 1\n").err().unwrap();
    assert!(refusal.contains("line 2") && refusal.contains("unknown field `colour`"), "{refusal}");
}

#[test]
fn a_secret_in_the_file_itself_is_warned_of_and_one_in_a_file_of_its_own_is_not() {
    let auth = |token: &str| format!("[tax.auth]\nscheme = \"bearer\"\ntoken = {token}\n");
    let warnings = loaded(&auth("\"hunter2\"")).unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].starts_with("tax.auth.token") && !warnings[0].contains("hunter2"));
    assert!(loaded(&auth("{ file = \"secret\" }")).unwrap().warnings.is_empty());
    assert!(loaded(&auth("{ file = \"no-such\" }")).err().unwrap().contains("no-such"));
}

#[test]
fn a_secret_in_a_plain_header_or_parameter_is_warned_of_and_not_shown() {
    for (table, place) in [
        ("[tax]\nheaders = { Authorization = \"Bearer hunter2\" }\n", "tax.headers.Authorization"),
        ("[tax]\nheaders = { X-Api-Key = \"hunter2\" }\n", "tax.headers.X-Api-Key"),
        ("[tax]\nquery = { access_token = \"hunter2\" }\n", "tax.query.access_token"),
    ] {
        let warnings = loaded(table).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].starts_with(place), "{warnings:?}");
        assert!(warnings[0].contains("[tax.auth]") && !warnings[0].contains("hunter2"), "{warnings:?}");
    }
    let innocent = "[tax]\nheaders = { X-Trace = \"yuxin\", X-Token-For = \"{uscc}\" }\nquery = { v = \"2\" }\n";
    assert_eq!(loaded(innocent).unwrap().warnings, Vec::<String>::new());
}

#[test]
fn a_map_that_makes_facts_of_its_own_is_warned_of() {
    let warned = |field: &str| {
        let table = format!("[tax.map]\nuscc = \"/c\"\nas_of = \"/d\"\n{field}\n");
        loaded(&table).unwrap().warnings
    };
    for (field, place, what) in [
        (
            "status = { from = \"/s\", values = { \"注销\" = \"deregistered\", \"*\" = \"normal\" } }",
            "tax.map.status",
            "every word that `values` does not name becomes \"normal\"",
        ),
        ("status = { value = \"normal\" }", "tax.map.status", "is always \"normal\""),
        (
            "status = { from = \"/s\", default = \"normal\" }",
            "tax.map.status",
            "is \"normal\" where the department leaves",
        ),
        ("declared_heads = { value = 0 }", "tax.map.declared_heads", "is always 0"),
        ("total_assets_fen = { value = 0 }", "tax.map.total_assets_fen", "is always 0"),
        (
            "[tax.map.rating]\nfrom = \"/r\"\ndefault = \"none\"\ngrade = \"/g\"\nyear = \"/y\"",
            "tax.map.rating",
            "is none where the department leaves it out",
        ),
        (
            "[tax.map.rating]\nfrom = \"/r\"\noptional = true\ngrade = { from = \"/g\", default = \"M\" }\nyear = \"/y\"",
            "tax.map.rating.grade",
            "is \"M\" where the department leaves it out",
        ),
    ] {
        let warnings = warned(field);
        assert!(warnings.len() == 1 && warnings[0].starts_with(&format!("{place}: ")), "{field}: {warnings:?}");
        assert!(warnings[0].contains(what), "{field}: {warnings:?}");
    }
    for field in [
        "status = { from = \"/s\", values = { \" 注销\" = \"deregistered\" }, optional = true }",
        "industry = { value = \"C33\" }",
        "[tax.map.rating]\nfrom = \"/r\"\nnull_is_none = true\ngrade = \"/g\"\nyear = \"/y\"",
    ] {
        assert_eq!(warned(field), Vec::<String>::new(), "{field}");
    }
}

#[test]
fn two_words_that_are_the_same_but_for_blanks_around_them_are_refused() {
    let table = "[tax.map]\nuscc = \"/c\"\nas_of = \"/d\"\n\
                 status = { from = \"/s\", values = { \"正常\" = \"normal\", \"正常 \" = \"abnormal\" } }\n";
    let refusal = loaded(table).err().unwrap();
    assert!(refusal.contains("tax.map.status") && refusal.contains("the word \"正常\" twice"), "{refusal}");
}

#[test]
fn two_connectors_of_one_kind_are_refused() {
    let refusal = loaded("[tax]\n[other]\nkind = \"tax\"\n").err().unwrap();
    assert!(refusal.contains("is of the kind tax already"), "{refusal}");
}

#[test]
fn an_encoding_or_a_header_that_cannot_be_is_refused() {
    let map = "[tax.map]\nuscc = \"/u\"\nas_of = \"/d\"\n";
    let refusal = loaded(&format!("[tax]\ncharset = \"klingon\"\n{map}")).err().unwrap();
    assert!(refusal.contains("tax.charset: \"klingon\" is no encoding"), "{refusal}");
    let paging = "[tax.paging]\nstyle = \"next_link\"\nitems = \"/l\"\nnext = \"header:a b\"\n";
    let refusal = loaded(&format!("{paging}{map}")).err().unwrap();
    assert!(refusal.contains("tax.paging: \"a b\" is no name of a header"), "{refusal}");
    assert!(loaded(&format!("[tax]\ncharset = \"GB2312\"\n{map}")).is_ok());
}
