//! Two servers call themselves primary at the same time, and each is somebody's.

use portcullis_tests::{Database, Instance, Login, Service, servers};
use reqwest::Method;
use serde_json::{Value, json};

use crate::proxy::Proxy;
use crate::talk::{accepted, confirming, eventually, ready};

async fn is_ready(instance: &Instance) -> bool {
    let answer = instance.raw(Method::GET, "/readyz").send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_at_the_old_one_of_two_primaries_stops_believing_it() {
    for server in servers() {
        let options = confirming().server(server).tcp();
        let (old, new) = (options.clone().start(), options.start());
        new.replica_of(&old);
        let address = Proxy::before(old.port());
        let url = format!("redis://127.0.0.1:{}", address.port);
        let database = Database::shared().fresh_database("two");
        let auth = Service::on(old, &database, |settings| {
            settings.stores.redis_url = Some(url.into());
        })
        .await;
        ready(&auth);
        let mut people: Vec<Login> = Vec::new();
        for number in 0..4 {
            people.push(auth.logged_in(&format!("user{number}")).await);
        }

        redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec(&mut new.connection()).unwrap();
        let url = new.url();
        let other = auth.another(2, |settings| settings.stores.redis_url = Some(url.into())).await;
        eventually("the other instance is ready", async || is_ready(&other).await);
        eventually("the old primary is believed no more", async || !auth.app.ledgers.is_believed());
        let ended = other.post_as(&people[0].access, "/logout", json!({})).await.must_be(200);
        assert_eq!(ended.json["propagation"], Value::Null, "the new primary has it");
        for _ in 0..10 {
            assert_eq!(accepted(&auth, &people[..1]).await, 0, "{}", server.name);
            assert_eq!(accepted(&auth, &people[1..]).await, 3, "{}", server.name);
            assert!(!auth.app.ledgers.is_believed() && is_ready(&other).await, "{}", server.name);
        }

        address.lead_to(new.port());
        ready(&auth);
        assert_eq!(accepted(&auth, &people[..1]).await, 0, "{}", server.name);
    }
}
