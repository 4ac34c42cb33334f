//! `config/sources.toml`: one table for each connector. All that is wrong is told at once.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Table;

use super::auth::{Auth, AuthWire};
use super::envelope::{Envelope, EnvelopeWire};
use super::mapping::Mapping;
use super::paging::{Paging, PagingWire};
use super::pointer::Pointer;
use super::rules::Rule;
use super::secret::Keeper;
use super::template::{Filled, Name, Place, Template};
use super::{BodyTemplate, Connector};
use crate::domain::SourceKind;
use crate::settings::{DEFAULT_CONNECTORS_FILE, SourcesSettings};
use crate::sources::SourcesError;
use crate::sources::client::{Certificates, Client, is_header};

/// One table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectorWire {
    kind: Option<SourceKind>,
    base_url: Option<String>,
    path: Option<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    method: Method,
    body: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    stale_after_days: Option<i32>,
    cache_seconds: Option<u64>,
    charset: Option<String>,
    #[serde(default)]
    absent_statuses: Vec<u16>,
    #[serde(default)]
    unpack: Vec<String>,
    auth: Option<AuthWire>,
    tls: Option<TlsWire>,
    envelope: Option<EnvelopeWire>,
    paging: Option<PagingWire>,
    map: Option<Table>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize, Default, PartialEq)]
enum Method {
    #[default]
    #[serde(rename = "GET")]
    Get,
    #[serde(rename = "POST")]
    Post,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsWire {
    client_certificate: Option<String>,
    client_key: Option<String>,
    authority: Option<String>,
}

/// Headers and parameters whose value is a secret, by what their names hold.
const SECRET_NAMES: [&str; 8] =
    ["authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey"];

/// The warning of a secret that is written in the file; its value is not repeated. A value with placeholders is made for each call.
fn written_secret(path: &str, name: &str, value: &str, connector: &str) -> Option<String> {
    let plain = name.to_ascii_lowercase().replace('_', "-");
    let is_secret = SECRET_NAMES.iter().any(|word| plain.contains(word)) && !value.is_empty() && !value.contains('{');
    is_secret.then(|| {
        format!(
            "{path} is written in the file itself; [{connector}.auth], for instance with scheme = \"bearer\" or \"api_key\", keeps it out"
        )
    })
}

/// How a certificate in PEM begins.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The connectors of all departments, and what should be otherwise with them.
pub(in crate::sources) struct Connectors {
    pub(super) all: Vec<Connector>,
    pub(in crate::sources) warnings: Vec<String>,
}

impl Connectors {
    /// Reads the file that `settings` name. What it does not describe is asked in the standard shape.
    ///
    /// # Errors
    /// Where the file is not there though it is named, or anything in it is wrong; all of it is told.
    pub(in crate::sources) fn load(settings: &SourcesSettings) -> Result<Connectors, SourcesError> {
        let file = &settings.connectors;
        let refused = |problems: Vec<String>| SourcesError::Connectors { file: file.display().to_string(), problems };
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && file == Path::new(DEFAULT_CONNECTORS_FILE) =>
            {
                String::new()
            }
            Err(error) => return Err(refused(vec![format!("cannot be read: {error}")])),
        };
        let wires: BTreeMap<String, ConnectorWire> =
            toml::from_str(&text).map_err(|error| refused(vec![placed(&text, &error)]))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let mut keeper = Keeper { folder, problems: Vec::new(), warnings: Vec::new() };
        let mut all: Vec<Connector> = Vec::new();
        for (name, wire) in wires {
            let Some(connector) = Reading { name: &name, settings, keeper: &mut keeper }.connector(wire) else {
                continue;
            };
            if let Some(other) = all.iter().find(|other| other.kind == connector.kind) {
                keeper.problems.push(format!("{name}: {} is of the kind {} already", other.name, connector.kind));
            }
            all.push(connector);
        }
        if !keeper.problems.is_empty() {
            return Err(refused(keeper.problems));
        }
        for kind in SourceKind::ALL {
            if all.iter().all(|connector| connector.kind != kind) {
                all.push(Connector::standard(kind, settings)?);
            }
        }
        Ok(Connectors { all, warnings: keeper.warnings })
    }

    /// Takes the connector of this kind; the three main ones are always there.
    pub(in crate::sources) fn take(&mut self, kind: SourceKind) -> Option<Connector> {
        let at = self.all.iter().position(|connector| connector.kind == kind)?;
        Some(self.all.swap_remove(at))
    }
}

/// What is wrong with the file as TOML, with the line; without the line's text, which may hold a secret.
fn placed(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = error.message().trim();
    line.map_or_else(|| message.to_owned(), |line| format!("line {line}: {message}"))
}

impl Connector {
    /// The connector to a department of the standard shape.
    fn standard(kind: SourceKind, settings: &SourcesSettings) -> Result<Connector, SourcesError> {
        let mut keeper = Keeper { folder: Path::new("."), problems: Vec::new(), warnings: Vec::new() };
        let name = kind.as_str();
        let wire: ConnectorWire =
            toml::from_str("").map_err(|error| SourcesError::Client(error.message().to_owned()))?;
        let connector = Reading { name, settings, keeper: &mut keeper }.connector(wire);
        connector.ok_or_else(|| SourcesError::Endpoint { source_name: name.into(), hint: keeper.problems.join("; ") })
    }
}

/// Reading one table.
struct Reading<'a, 'k> {
    name: &'a str,
    settings: &'a SourcesSettings,
    keeper: &'a mut Keeper<'k>,
}

impl Reading<'_, '_> {
    fn tell(&mut self, key: &str, problem: impl std::fmt::Display) {
        let dot = if key.is_empty() { "" } else { "." };
        self.keeper.problems.push(format!("{}{dot}{key}: {problem}", self.name));
    }

    /// The connector; nothing where something is wrong, which the keeper has.
    fn connector(&mut self, wire: ConnectorWire) -> Option<Connector> {
        let before = self.keeper.problems.len();
        let name = self.name;
        let by_name = SourceKind::named(name);
        let Some(kind) = wire.kind.or(by_name) else {
            let kinds = SourceKind::every().map(SourceKind::as_str).collect::<Vec<_>>().join(", ");
            self.tell("", format!("needs `kind`, one of {kinds}, since its name is none"));
            return None;
        };
        let is_named =
            (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        if !is_named {
            self.tell("", "a name is at most 40 letters, digits, _ and -");
        }
        let usual = self.settings.of(kind);
        if SourceKind::OPTIONAL.contains(&kind) && (wire.base_url.is_none() || wire.path.is_none()) {
            self.tell("", format!("needs `base_url` and `path`: the settings have none for {kind}"));
        }
        let base_url = wire.base_url.unwrap_or_else(|| usual.base_url.clone());
        let path = self.template("path", wire.path.as_deref().unwrap_or(&usual.path), Place::Address);
        let query: Vec<(String, Template)> = wire
            .query
            .iter()
            .map(|(name, text)| (name.clone(), self.template(&format!("query.{name}"), text, Place::Address)))
            .collect();
        for (parameter, text) in &wire.query {
            let path = format!("{name}.query.{parameter}");
            self.keeper.warnings.extend(written_secret(&path, parameter, text, name));
        }
        let body = self.body(wire.method, wire.body, wire.content_type);
        let asks_for = |placeholder| {
            path.names(placeholder)
                || query.iter().any(|(_, template)| template.names(placeholder))
                || body.as_ref().is_some_and(|body| body.template.names(placeholder))
        };
        if !asks_for(Name::Uscc) {
            self.tell("", "{uscc}, where the firm's code goes, must occur in path, query or body");
        }
        if wire.paging.is_none() && [Name::Page, Name::Offset, Name::Size, Name::Cursor].into_iter().any(asks_for) {
            self.tell("", "has a placeholder of pages and no paging");
        }
        let auth = wire.auth.map_or(Auth::None, |auth| Auth::read(&format!("{name}.auth"), auth, self.keeper));
        let problems = &mut self.keeper.problems;
        let paging = wire.paging.map(|paging| Paging::read(&format!("{name}.paging"), paging, asks_for, problems));
        let envelope = wire.envelope.map(|envelope| Envelope::read(&format!("{name}.envelope"), envelope, problems));
        let warnings = &mut self.keeper.warnings;
        let mapping = wire.map.map(|map| Mapping::compile(&format!("{name}.map"), map, kind, problems, warnings));
        let mut unpack = Vec::new();
        for text in &wire.unpack {
            match Pointer::parse(text) {
                Ok(at) if at.is_relative() && !at.is_key() && !text.is_empty() => unpack.push(at),
                Ok(_) => {
                    problems.push(format!("{name}.unpack: {text:?} must be a JSON pointer from the reply's beginning"))
                }
                Err(problem) => problems.push(format!("{name}.unpack: {problem}")),
            }
        }
        if !unpack.is_empty() && mapping.is_none() {
            problems.push(format!("{name}: `unpack` needs a map, since the standard shape has no JSON within a text"));
        }
        for (number, rule) in wire.rules.iter().enumerate() {
            let place = || rule.misplaced(kind, mapping.as_ref());
            if let Some(problem) = rule.problem().map(str::to_owned).or_else(place) {
                problems.push(format!("{name}.rules, number {}: {problem}", number + 1));
            }
        }
        let mut headers = Vec::new();
        for (header, value) in &wire.headers {
            warnings.extend(written_secret(&format!("{name}.headers.{header}"), header, value, name));
            match Template::parse(value, Place::Header) {
                Ok(template) => headers.push((header.clone(), template)),
                Err(problem) => problems.push(format!("{name}.headers: {problem}")),
            }
            if !is_header(header, value) {
                problems.push(format!("{name}.headers: {header:?} cannot be sent"));
            }
        }
        if let (Some(paging), Some(mapping)) = (&paging, &mapping) {
            let told = paging.lists(&mapping.places());
            problems.extend(told.into_iter().map(|problem| format!("{name}.paging: {problem}")));
        }
        if paging.is_some() && mapping.is_none() {
            problems.push(format!("{name}: paging needs a map, since the standard shape has no pages"));
        }
        let stale_after_days = wire.stale_after_days.unwrap_or(usual.stale_after_days);
        if !(1..=3650).contains(&stale_after_days) {
            self.tell("stale_after_days", "must lie between 1 and 3650");
        }
        let cache_seconds = wire.cache_seconds.unwrap_or(self.settings.cache_seconds);
        if cache_seconds > self.settings.cache_seconds_max {
            self.tell("cache_seconds", "must not be more than sources.cache_seconds_max of the settings");
        }
        let tls = self.tls(wire.tls);
        let plain = base_url.starts_with("http://") && !auth.asks_over_tls();
        let client = match Client::new(self.settings, &tls, plain) {
            Ok(client) => client,
            Err(error) => {
                self.tell("tls", error);
                return None;
            }
        };
        let client = match &wire.charset {
            None => client,
            Some(charset) => match client.reading(charset) {
                Some(client) => client,
                None => {
                    self.tell(
                        "charset",
                        format!("{charset:?} is no encoding that is known; write gbk, gb18030, big5 or utf-8"),
                    );
                    return None;
                }
            },
        };
        let client = match &envelope {
            Some(envelope) => client.reading_also(&envelope.statuses),
            None => client,
        };
        if paging.as_ref().is_some_and(Paging::may_end_unseen) {
            self.keeper.warnings.push(format!(
                "{name}.paging: without total_pages, total_items, has_more or until = \"empty\" a page shorter than `size` is taken for \
                 the last one; where the department gives fewer rows a page than are asked for, the rest is lost unseen"
            ));
        }
        let connector = Connector {
            unpack,
            name: name.to_owned(),
            kind,
            stale_after_days,
            cache_seconds,
            client,
            base_url: base_url.trim_end_matches('/').to_owned(),
            path,
            query,
            body,
            headers,
            absent_statuses: wire.absent_statuses,
            auth,
            envelope,
            paging,
            mapping,
            rules: wire.rules,
        };
        self.address(&connector);
        (self.keeper.problems.len() == before).then_some(connector)
    }

    fn template(&mut self, key: &str, text: &str, place: Place) -> Template {
        Template::parse(text, place).unwrap_or_else(|problem| {
            self.tell(key, problem);
            Template::empty()
        })
    }

    fn body(&mut self, method: Method, body: Option<String>, content_type: Option<String>) -> Option<BodyTemplate> {
        if method == Method::Get {
            if body.is_some() || content_type.is_some() {
                self.tell("", "`body` and `content_type` are for method = \"POST\"");
            }
            return None;
        }
        let content_type = content_type.unwrap_or_else(|| "application/json".into());
        if !is_header("content-type", &content_type) {
            self.tell("content_type", "cannot be sent");
        }
        let place = if content_type.contains("json") { Place::Json } else { Place::Form };
        let template = self.template("body", body.as_deref().unwrap_or(""), place);
        Some(BodyTemplate { template, place, content_type })
    }

    fn tls(&mut self, wire: Option<TlsWire>) -> Certificates {
        let Some(wire) = wire else { return Certificates::default() };
        if wire.client_certificate.is_some() != wire.client_key.is_some() {
            self.tell("tls", "client_certificate and client_key belong together; they may be one file");
        }
        if wire.client_certificate.is_none() && wire.authority.is_none() {
            self.tell("tls", "names no file");
        }
        let path = format!("{}.tls", self.name);
        let mut read =
            |key: &str, file: Option<String>| file.map(|file| self.keeper.file(&format!("{path}.{key}"), &file));
        let key = read("client_key", wire.client_key);
        let identity = read("client_certificate", wire.client_certificate).map(|mut identity| {
            identity.push(b'\n');
            identity.extend(key.unwrap_or_default());
            identity
        });
        let authority = read("authority", wire.authority);
        if authority.as_ref().is_some_and(|pem| !pem.windows(PEM.len()).any(|window| window == PEM)) {
            self.tell("tls.authority", "the file holds no certificate in PEM");
        }
        Certificates { identity, authority }
    }

    /// Tries the address with a made-up code. It is not repeated: it may hold a password.
    fn address(&mut self, connector: &Connector) {
        if connector.base_url.contains(['{', '?', '#']) {
            self.tell("base_url", "is scheme, host, port and perhaps a path; {uscc}, ? and # belong into path");
            return;
        }
        if !connector.base_url.starts_with("http://") && !connector.base_url.starts_with("https://") {
            self.tell("base_url", "must begin with http:// or https://");
            return;
        }
        if crate::sources::client::Url::parse(&connector.base_url).is_ok_and(|url| url.password().is_some()) {
            let name = self.name;
            self.keeper.warnings.push(format!(
                "{name}.base_url holds a password, and is written in the file itself; [{name}.auth] with scheme = \"basic\" keeps it out"
            ));
        }
        let filled =
            Filled { uscc: "0", now: jiff::Timestamp::UNIX_EPOCH, page: 1, offset: 0, size: 1, cursor: Some("0") };
        if connector.url(&filled).is_none() {
            self.tell("", "base_url and path together must make a URL without #, for instance https://tax.example:8443/firms/{uscc}");
        }
    }
}

#[cfg(test)]
mod tests;
