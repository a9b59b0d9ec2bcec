//! Fetches a key set, on a thread of its own, so that it works in any async runtime.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use reqwest::{Client, Url, redirect};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::keys::{BadKey, Ring};

/// How often, if nobody asks.
const USUALLY: Duration = Duration::from_mins(10);
/// And how often at most: anybody can send a token with a key that nobody knows.
const AT_MOST: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(5);
/// No key set comes near so many bytes.
const LONGEST: usize = 1024 * 1024;

/// The way to the thread, which ends with it.
pub(super) struct Fetching(mpsc::UnboundedSender<oneshot::Sender<()>>);

impl Fetching {
    /// Waits for a set that is fetched from now on, unless one just was.
    pub(super) async fn anew(&self) {
        let (done, is_done) = oneshot::channel();
        if self.0.send(done).is_ok() {
            // An error means that there is no thread, and so no other set.
            let _ = is_done.await;
        }
    }
}

pub(super) fn start(url: &str, ring: Arc<Ring>) -> Result<Fetching, BadKey> {
    let url = checked(url)?;
    let client = Client::builder()
        .timeout(DEADLINE)
        // An address that was trusted does not pass its trust on.
        .redirect(redirect::Policy::none())
        .build()
        .map_err(|cause| BadKey::Address(cause.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (wish, wishes) = mpsc::unbounded_channel();
    thread::Builder::new().name("portcullis-keys".into()).spawn(move || {
        runtime.block_on(keep_fetching(&client, &url, &ring, wishes));
    })?;
    Ok(Fetching(wish))
}

/// Keys that come over the open network are whoever's.
fn checked(url: &str) -> Result<Url, BadKey> {
    let url = Url::parse(url).map_err(|cause| BadKey::Address(cause.to_string()))?;
    let is_here = match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|it| it.is_loopback()),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        scheme => Err(BadKey::Address(format!("{scheme}:// is not safe there"))),
    }
}

/// Until nobody can wish any more.
async fn keep_fetching(
    client: &Client,
    url: &Url,
    ring: &Ring,
    mut wishes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) {
    let mut last = Vec::new();
    let mut wish: Option<oneshot::Sender<()>> = None;
    loop {
        let is_good = fetch(client, url, ring, &mut last).await;
        if let Some(wish) = wish.take() {
            let _ = wish.send(());
        }
        let fetched_at = Instant::now();
        // Those who wished before have what there is now, and so have those who come too soon.
        loop {
            match timeout_at(fetched_at + AT_MOST, wishes.recv()).await {
                Ok(Some(wish)) => drop(wish.send(())),
                Ok(None) => return,
                Err(_) => break,
            }
        }
        let next = if is_good { USUALLY } else { AT_MOST };
        match timeout_at(fetched_at + next, wishes.recv()).await {
            Ok(None) => return,
            Ok(next_wish) => wish = next_wish,
            Err(_) => {}
        }
    }
}

/// Whether there is a set that can be used.
async fn fetch(client: &Client, url: &Url, ring: &Ring, last: &mut Vec<u8>) -> bool {
    let fetched = body(client, url).await.map_err(|cause| cause.without_url().to_string());
    let taken = fetched.and_then(|body| {
        if body == *last {
            return Ok(());
        }
        let set: JwkSet = serde_json::from_slice(&body).map_err(|cause| cause.to_string())?;
        if !ring.take(&set) {
            return Err("there is no public key for signatures in it".into());
        }
        *last = body;
        Ok(())
    });
    if let Err(cause) = &taken {
        tracing::warn!(cause, "the key set cannot be fetched; the last one counts");
    }
    taken.is_ok()
}

/// Not more of it than [`LONGEST`], so that whatever is longer is none.
async fn body(client: &Client, url: &Url) -> reqwest::Result<Vec<u8>> {
    let mut answer = client.get(url.clone()).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            break;
        }
    }
    Ok(body)
}
