//! A real browser, driven through chromedriver.

use std::io::{BufRead, BufReader};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt;
use serde_json::json;
use tempfile::TempDir;

/// A chromedriver on a port of its own; ends with the value.
struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    /// `None` where there is no chromedriver.
    fn start() -> Option<Driver> {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find(|line| line.as_ref().is_ok_and(|l| l.contains("successfully on port")));
        let line = line.expect("chromedriver says on which port it listens").unwrap();
        let port: u16 = line.trim_end_matches('.').rsplit(' ').next().unwrap().parse().unwrap();
        // The pipe is read to its end, so that chromedriver never waits for room in it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Driver { child, address: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a browser is set up.
#[derive(Clone, Copy)]
pub struct Setup {
    /// What it asks for in `Accept-Language`.
    pub language: &'static str,
    /// Width of its window in pixels.
    pub width: u32,
}

/// Runs `test` in a fresh browser and closes the browser, also when the test fails.
///
/// Without chromedriver the test is skipped with a message, and fails where `CI` is set.
pub async fn with_browser(setup: Setup, test: impl AsyncFnOnce(&Page)) {
    let Some(driver) = Driver::start() else {
        assert!(std::env::var_os("CI").is_none(), "chromedriver is missing: apt-get install chromium-driver");
        crate::support::say("SKIPPED: chromedriver is not installed (apt-get install chromium chromium-driver)");
        return;
    };
    let profile = tempfile::tempdir().unwrap();
    let client = connect(&driver, &profile, setup).await;
    let page = Page(client.clone(), driver.address.clone());
    let outcome = AssertUnwindSafe(test(&page)).catch_unwind().await;
    let closed = client.close().await;
    drop(driver);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    closed.unwrap();
}

async fn connect(driver: &Driver, profile: &TempDir, setup: Setup) -> Client {
    let mut options = json!({
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", format!("--user-data-dir={}", profile.path().display()),
            format!("--window-size={},900", setup.width),
        ],
        "prefs": { "intl.accept_languages": setup.language },
    });
    // A window is never narrower than this; a screen is.
    if setup.width < 500 {
        let metrics =
            json!({ "width": setup.width, "height": 900, "pixelRatio": 1.0, "mobile": false, "touch": false });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    if Path::new("/usr/bin/chromium").exists() {
        options["binary"] = json!("/usr/bin/chromium");
    }
    let capabilities = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
    let mut builder = ClientBuilder::rustls().unwrap();
    builder.capabilities(capabilities.as_object().unwrap().clone());
    builder.connect(&driver.address).await.unwrap()
}

/// What is in the browser's window; the second part is where the driver listens.
pub struct Page(pub Client, String);

impl Page {
    /// Goes to an address.
    pub async fn open(&self, address: &str) {
        self.0.goto(address).await.unwrap();
    }

    /// The text of the first element that `css` selects; the test fails where there is none.
    pub async fn text(&self, css: &str) -> String {
        loop {
            let found = self.0.wait().for_element(Locator::Css(css)).await;
            match found.unwrap_or_else(|e| panic!("{css}: {e}")).text().await {
                Ok(text) => return text,
                // The page changed between finding and reading: what stands there now is meant.
                Err(error) if error.is_stale_element_reference() => {}
                Err(error) => panic!("{css}: {error}"),
            }
        }
    }

    /// The number of elements that `css` selects.
    pub async fn count(&self, css: &str) -> usize {
        self.0.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Replaces what is in a field.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.0.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What is in a field.
    pub async fn value(&self, css: &str) -> String {
        let field = self.0.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        field.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Clicks on what changes nothing but the page that is there.
    pub async fn click(&self, css: &str) {
        let element = self.0.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        element.click().await.unwrap();
    }

    /// Clicks on a link or a button of a form, and waits until the page that it leads to is there.
    ///
    /// A click returns before a busy browser has even sent the form: whoever reads on at once reads the old page, and whoever
    /// goes on to another address takes the form back.
    pub async fn follow(&self, link: Locator<'_>) {
        let old = self.0.find(Locator::Css("html")).await.unwrap();
        self.0.find(link).await.unwrap_or_else(|e| panic!("{link:?}: {e}")).click().await.unwrap();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while old.tag_name().await.is_ok() || !self.is_loaded().await {
            assert!(std::time::Instant::now() < patience, "{link:?} leads nowhere");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn is_loaded(&self) -> bool {
        let state = self.0.execute("return document.readyState", vec![]).await;
        state.is_ok_and(|state| state == "complete")
    }

    /// The path of the address.
    pub async fn path(&self) -> String {
        self.0.current_url().await.unwrap().path().to_owned()
    }

    /// What the console has been told since it was last asked.
    pub async fn console(&self) -> Vec<String> {
        let session = self.0.session_id().await.unwrap().unwrap();
        let address = format!("{}/session/{session}/se/log", self.1);
        let reply = reqwest::Client::new().post(address).json(&json!({ "type": "browser" })).send().await.unwrap();
        let entries: serde_json::Value = reply.json().await.unwrap();
        entries["value"].as_array().unwrap().iter().map(ToString::to_string).collect()
    }

    /// How many pixels the page is wider than its window.
    pub async fn overflow(&self) -> i64 {
        let script = "return document.documentElement.scrollWidth - window.innerWidth";
        self.0.execute(script, vec![]).await.unwrap().as_i64().unwrap()
    }
}
