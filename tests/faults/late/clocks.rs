//! A login's beginning is on its way when clocks step back, on the host that sent it and on the one
//! where it ends. The instances are in this process, where a test can move their clocks.

use std::time::Duration;

use portcullis_api::base::clock::Clock;
use portcullis_tests::{Answer, Client, Database, Login, Network, PASSWORD, Service};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::cast::{ROUTE, beginning_is_held, has_begun};
use super::held::held_up;
use super::tally::Tally;
use crate::talk::{agree, ask, calls, confirming, eventually, ready};

const HOUR: Duration = Duration::from_hours(1);

/// How far the clocks of the sender and of the one who ends it step back, and whether Redis is
/// wiped.
#[derive(Clone, Copy)]
struct Step {
    sender_back: Duration,
    ender_back: Duration,
    is_wiped: bool,
}

const STEPS: [Step; 4] = [
    Step { sender_back: HOUR, ender_back: Duration::ZERO, is_wiped: false },
    Step { sender_back: Duration::ZERO, ender_back: HOUR, is_wiped: false },
    Step { sender_back: HOUR, ender_back: HOUR, is_wiped: false },
    Step { sender_back: HOUR, ender_back: HOUR, is_wiped: true },
];

#[test]
fn f_01_a_login_from_a_lost_instance_stays_ended_whatever_the_clocks_say() {
    with_steps("logins and clocks that step back", &STEPS);
}

#[test]
#[ignore = "minutes: the full count of clocks that step back"]
fn f_01_logins_from_lost_instances_stay_ended_whatever_the_clocks_say() {
    with_steps("logins and clocks that step back", &STEPS.repeat(25));
}

fn with_steps(story: &str, steps: &[Step]) {
    let Some(network) = Network::with_routes(1) else { return };
    let mut tally = Tally::default();
    for step in steps {
        network.run(async || round(&network, *step, &mut tally).await);
    }
    tally.told(story).must_be_clean();
}

async fn round(network: &Network, step: Step, tally: &mut Tally) {
    let Step { sender_back, ender_back, is_wiped } = step;
    let other = lasting_instance(network).await;
    let (user_id, clock) = (other.user("alice").await, Clock::manual(other.clock.now()));
    let url = format!("redis://{}:{}", network.address(ROUTE), other.redis.port());
    let sender = other
        .another_with(2, clock.clone(), |settings| settings.stores.redis_url = Some(url.into()))
        .await;
    let kept = known_sender(network, &other, &sender);

    let held_up = held_up(other.db(), user_id, request(&sender)).await;
    network.cut(ROUTE);
    clock.set(clock.now().minus(sender_back));
    let answer = held_up.goes_on().await;
    let port = beginning_is_held(network);
    let late = login(answer.await.unwrap().unwrap()).await;
    // It gives its connections up, and what they were to send stays with the kernel.
    drop(sender);
    eventually("the connection is closed", async || {
        network.held(ROUTE).iter().any(|held| held.port == port && held.is_orphan)
    });

    agree(&other).await;
    let path = format!("/sessions/{}", late.session);
    other.delete_as(&kept.access, &path).await.must_be(200);
    other.clock.set(other.clock.now().minus(ender_back));
    if is_wiped {
        redis::cmd("FLUSHALL").exec(&mut other.redis.connection()).unwrap();
    }
    agree(&other).await;
    tally.late += arrive(network, &other);
    other.clock.advance(ender_back);
    ready(&other);
    tally.rounds += 1;
    tally.dead_in_redis += usize::from(ask(&other, &late) == "OK");
    tally.dead_in_service += usize::from(other.is_good(&late.access).await);
    tally.live_lost += usize::from(!other.is_good(&kept.access).await);
}

/// Nothing comes between it and Redis.
async fn lasting_instance(network: &Network) -> Service {
    let redis = confirming().within(network.there()).start();
    let database = Database::shared().fresh_database("clocks");
    let socket = format!("unix://{}", redis.socket().display());
    let instance = Service::on(redis, &database, |settings| {
        settings.stores.redis_url = Some(socket.into());
        settings.stores.redis_deadline = Duration::from_secs(2);
        settings.stores.db_deadline = Duration::from_secs(10);
        settings.tokens.jwt_expires_in = HOUR * 12;
    })
    .await;
    ready(&instance);
    instance
}

/// A login at the sender, which begins sessions itself.
fn known_sender(network: &Network, other: &Service, sender: &Client) -> Login {
    ready(sender);
    let mut known = None;
    eventually("it is seen who begins", async || {
        let kept = login(request(sender).send().await.unwrap()).await;
        known = has_begun(network, &other.redis).then_some(kept);
        known.is_some()
    });
    known.unwrap()
}

/// Heals the route and waits until Redis has read what was held; tells how many beginnings it was.
fn arrive(network: &Network, other: &Service) -> usize {
    let begun = || calls(&mut other.redis.connection(), "auth.session|create");
    let before = begun();
    network.heal(ROUTE);
    eventually("Redis has read what was held", async || {
        network.held(ROUTE).iter().all(|held| held.bytes == 0) && network.unread(ROUTE) == 0
    });
    let late = begun() - before;
    assert!(late > 0, "the beginning has arrived");
    late
}

fn request(client: &Client) -> RequestBuilder {
    let body = json!({ "email": "alice@example.com", "password": PASSWORD });
    client.request(Method::POST, "/login-enhanced").json(&body)
}

async fn login(response: reqwest::Response) -> Login {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, headers, text, json }.must_be(200).into()
}
