//! Banks choose where the service connects to; it does not let itself be sent where they have no business.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::receiver::{OK, Receiver};
use crate::support::service::{Bank, Service};
use crate::support::store::Engine::Sqlite;
use crate::webhooks::{SOON, get, happens, post, register, service};

/// Waits until a try of the webhook's newest message ended like this.
async fn wait_for_result(bank: &Bank, hook: &str, results: &[&str]) -> Value {
    let began = Instant::now();
    loop {
        let page = get(bank, &format!("{hook}/deliveries"), 200).await;
        let delivery = &page["deliveries"][0];
        if delivery["last_result"].as_str().is_some_and(|result| results.contains(&result)) {
            return delivery.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{page:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_nothing_but_public_https_addresses_can_be_registered() {
    let service = Service::start("http://127.0.0.1:1");
    let bank = service.bank("First Bank");
    for url in [
        "http://bank.example/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://192.168.0.1/",
        "https://100.100.100.200/",
        "https://[fd00:ec2::254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://bank.example:22/",
        "https://bank@bank.example/",
        "file:///etc/passwd",
    ] {
        let refused = post(&bank, "/v1/webhooks", json!({"url": url}), 422).await;
        assert_eq!(refused["errors"][0]["pointer"], "/url", "{url}");
        let (_, secret) = register(&bank, "https://bank.example/yuxin").await;
        assert!(secret.starts_with("whsec_"));
        let hooks = get(&bank, "/v1/webhooks", 200).await;
        let hook = format!("/v1/webhooks/{}", hooks["webhooks"][0]["id"].as_str().unwrap());
        let change = bank.client.patch(format!("{}{hook}", bank.url)).bearer_auth(&bank.key).json(&json!({"url": url}));
        assert_eq!(change.send().await.unwrap().status(), 422, "{url}");
        assert_eq!(bank.delete(&hook).send().await.unwrap().status(), 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_allowed_once_is_checked_again_before_each_try() {
    let Some((service, _place)) = service(Sqlite, &[]).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(OK).await;
    let (hook, _) = register(&bank, &receiver.url()).await;
    // By name as well, which is looked up.
    let by_name = receiver.url().replace("127.0.0.1", "localhost");
    let (named_hook, _) = register(&bank, &by_name).await;
    happens(&bank).await;
    receiver.wait(2, SOON).await;
    let service = service.restart_with(&[("YUXIN_WEBHOOKS__ALLOW_PRIVATE", "")]);
    let bank = Bank { url: service.url.clone(), ..bank };
    happens(&bank).await;
    for hook in [hook, named_hook] {
        assert_eq!(wait_for_result(&bank, &hook, &["address"]).await["last_status"], Value::Null);
    }
    assert_eq!(receiver.received().len(), 2, "no connection was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_is_taken_from_the_environment() {
    let proxy = Receiver::start(OK).await;
    let url = format!("http://{}", proxy.address);
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let more: Vec<(&str, &str)> = names.iter().map(|name| (*name, url.as_str())).collect();
    let Some((service, _place)) = service(Sqlite, &more).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(OK).await;
    register(&bank, &receiver.url()).await;
    happens(&bank).await;
    receiver.wait(1, SOON).await;
    assert_eq!(proxy.received().len(), 0);
}

/// The service with a file of hosts of its own, which the test may rewrite while it runs; `None` where this user may not do that.
fn service_with_hosts(hosts: &Path, more: &[(&str, &str)]) -> Option<Service> {
    let may = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount --bind \"$1\" /etc/hosts", "sh"])
        .arg(hosts)
        .stderr(Stdio::null())
        .status();
    if !may.is_ok_and(|status| status.success()) {
        return None;
    }
    let script = "mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";
    let wrapper = ["unshare", "--mount", "sh", "-c", script, "sh", hosts.to_str().unwrap()];
    Some(Service::start_inside(&wrapper, "http://127.0.0.1:1", more))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_turned_to_a_private_address_later_is_not_followed_there() {
    let folder = TempDir::new().unwrap();
    let hosts = folder.path().join("hosts");
    // 192.0.2.0/24 stands for the public address that the name has at first; nothing answers there.
    std::fs::write(&hosts, "192.0.2.1 hook.bank.example\n").unwrap();
    let settings = [
        ("YUXIN_WEBHOOKS__ALLOW_HTTP", "true"),
        ("YUXIN_WEBHOOKS__ALLOW_PRIVATE", "192.0.2.0/24"),
        ("YUXIN_WEBHOOKS__CONNECT_TIMEOUT_MS", "500"),
        ("YUXIN_WEBHOOKS__RETRY_SCHEDULE", "1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s"),
    ];
    let Some(service) = service_with_hosts(&hosts, &settings) else {
        crate::support::say("skipped: this user may not mount");
        return;
    };
    let bank = service.bank("First Bank");
    let inside = Receiver::start(OK).await;
    let url = format!("http://hook.bank.example:{}/", inside.address.port());
    let (hook, _) = register(&bank, &url).await;
    happens(&bank).await;
    let first = wait_for_result(&bank, &hook, &["connect", "timeout"]).await;
    std::fs::write(&hosts, "127.0.0.1 hook.bank.example\n::1 hook.bank.example\n").unwrap();
    let later = wait_for_result(&bank, &hook, &["address"]).await;
    assert_eq!(later["event_id"], first["event_id"]);
    assert_eq!(inside.received().len(), 0, "the private server was reached");
    // The name has a public address beside the private one: only that is tried.
    std::fs::write(&hosts, "127.0.0.1 hook.bank.example\n192.0.2.1 hook.bank.example\n").unwrap();
    wait_for_result(&bank, &hook, &["connect", "timeout"]).await;
    assert_eq!(inside.received().len(), 0, "the private server was reached");
}

/// A web server of Python's that speaks TLS and prints what it takes; ended when dropped.
struct TlsServer(Child);

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const TLS_SERVER: &str = r#"
import http.server, ssl, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        with open("taken", "a") as file:
            file.write(self.headers["webhook-id"] + "\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("server.pem", "server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open("port.new", "w") as file:
    file.write(str(server.server_port))
import os
os.rename("port.new", "port")
server.serve_forever()
"#;

fn openssl(folder: &Path, arguments: &str) -> bool {
    let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).stderr(Stdio::null()).status();
    made.is_ok_and(|status| status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_certificate_is_believed_only_with_its_authority() {
    let folder = TempDir::new().unwrap();
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    let leaf =
        "-CA ca.pem -CAkey ca.key -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1";
    let made = openssl(folder.path(), &format!("{new} -keyout ca.key -out ca.pem -subj /CN=authority"))
        && openssl(folder.path(), &format!("{new} -keyout server.key -out server.pem -subj /CN=bank {leaf}"));
    let server = Command::new("python3").args(["-c", TLS_SERVER]).current_dir(folder.path()).spawn();
    let (true, Ok(server)) = (made, server) else {
        assert!(std::env::var_os("CI").is_none(), "openssl or python3 is missing");
        crate::support::say("skipped: openssl or python3 is not there");
        return;
    };
    let _server = TlsServer(server);
    let began = Instant::now();
    while !folder.path().join("port").exists() {
        assert!(began.elapsed() < SOON, "the TLS server does not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let port = std::fs::read_to_string(folder.path().join("port")).unwrap();
    let Some((service, _place)) = service(Sqlite, &[("YUXIN_WEBHOOKS__ALLOW_HTTP", "false")]).await else { return };
    let bank = service.bank("First Bank");
    let (hook, _) = register(&bank, &format!("https://127.0.0.1:{port}/hook")).await;
    happens(&bank).await;
    wait_for_result(&bank, &hook, &["tls"]).await;
    assert!(!folder.path().join("taken").exists());
    let authority = folder.path().join("ca.pem");
    let service = service.restart_with(&[("YUXIN_WEBHOOKS__AUTHORITIES", authority.to_str().unwrap())]);
    let bank = Bank { url: service.url.clone(), ..bank };
    let delivery = wait_for_result(&bank, &hook, &["delivered"]).await;
    let taken = std::fs::read_to_string(folder.path().join("taken")).unwrap();
    assert_eq!(taken.trim(), delivery["event_id"]);
}

#[test]
fn settings_that_cannot_be_used_refuse_to_start_with_their_name() {
    for (name, value) in [
        ("ALLOW_PRIVATE", "everything"),
        ("SECRET_KEYS", "c2hvcnQ="),
        ("RETRY_SCHEDULE", "now and then"),
        ("AUTHORITIES", "no-such-file.pem"),
        ("TIMEOUT_MS", "1"),
    ] {
        let mut command = crate::support::service::yuxin();
        command.args(["config", "check"]).env(format!("YUXIN_WEBHOOKS__{name}"), value);
        let said = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains(&format!("webhooks.{}", name.to_ascii_lowercase())), "{stderr}");
    }
}
