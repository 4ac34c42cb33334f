//! Mutual TLS, against the server of OpenSSL: our certificate is shown, and only the named authority is believed.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use yuxin::domain::{EvidenceStatus, SourceKind};
use yuxin::observe::Metrics;
use yuxin::settings::Settings;
use yuxin::sources::Sources;

use crate::support::department::sample;
use crate::support::gathering::{FIRM, line, now, pass};

/// `openssl s_server`, which serves the files of its folder to who shows a certificate of the authority; ended when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(folder: &Path, arguments: &str) -> bool {
    let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).stderr(Stdio::null()).status();
    made.is_ok_and(|status| status.success())
}

/// An authority, the department's certificate and ours, and another authority; `false` where OpenSSL is not there.
fn certificates(folder: &Path) -> bool {
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    let leaf =
        "-CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1";
    openssl(folder, &format!("{new} -keyout ca.key -out ca.pem -subj /CN=authority"))
        && openssl(folder, &format!("{new} -keyout other.key -out other.pem -subj /CN=other"))
        && openssl(folder, &format!("{new} -keyout server.key -out server.pem -subj /CN=department {leaf}"))
        && openssl(folder, &format!("{new} -keyout ours.key -out ours.pem -subj /CN=yuxin {leaf}"))
}

fn serve(folder: &Path) -> (Server, String) {
    let place = folder.join("tax/v1/firms");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join(FIRM), sample(SourceKind::Tax)).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let arguments = format!(
        "s_server -accept {address} -cert server.pem -key server.key -CAfile ca.pem -Verify 1 -verify_return_error -quiet -WWW"
    );
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let server = Server(server);
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "openssl s_server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (server, format!("https://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_behind_mutual_tls_is_asked_with_our_certificate_and_only_when_its_authority_is_the_named_one() {
    let folder = TempDir::new().unwrap();
    if !certificates(folder.path()) {
        crate::support::say("skipped: openssl is not there");
        return;
    }
    let (_server, base_url) = serve(folder.path());
    for (tls, status) in [
        ("client_certificate = \"ours.pem\"\nclient_key = \"ours.key\"\nauthority = \"ca.pem\"", EvidenceStatus::Fresh),
        ("authority = \"ca.pem\"", EvidenceStatus::Unavailable),
        (
            "client_certificate = \"ours.pem\"\nclient_key = \"ours.key\"\nauthority = \"other.pem\"",
            EvidenceStatus::Unavailable,
        ),
    ] {
        let file = folder.path().join("sources.toml");
        std::fs::write(&file, format!("[tax]\nbase_url = \"{base_url}\"\n[tax.tls]\n{tls}\n")).unwrap();
        let mut settings = Settings::with_overrides("").unwrap().sources;
        settings.connectors = file;
        let sources = Sources::new(&settings, Metrics::new().unwrap()).unwrap();
        let tax = line(&sources.gather(&pass(), now()).await, SourceKind::Tax);
        assert_eq!(tax.status, status, "{tls}: {:?}", tax.detail);
    }
}

#[test]
fn certificates_that_cannot_be_used_refuse_to_start() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("garbage.pem"), "garbage").unwrap();
    for (tls, said) in [
        (
            "client_certificate = \"no-such.pem\"\nclient_key = \"no-such.pem\"",
            "tax.tls.client_certificate: the file no-such.pem",
        ),
        ("client_certificate = \"garbage.pem\"", "belong together"),
        ("client_certificate = \"garbage.pem\"\nclient_key = \"garbage.pem\"", "tax.tls: "),
        ("authority = \"garbage.pem\"", "tax.tls.authority: "),
        ("", "names no file"),
    ] {
        let file = folder.path().join("sources.toml");
        std::fs::write(&file, format!("[tax.tls]\n{tls}\n")).unwrap();
        let mut settings = Settings::with_overrides("").unwrap().sources;
        settings.connectors = file;
        let refusal = Sources::new(&settings, Metrics::new().unwrap()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refusal.contains(said), "{tls}: {refusal}");
    }
}
