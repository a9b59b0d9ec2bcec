//! What waits for many users, told in one write, so that when everybody is ended at once it does not
//! take minutes until Redis has heard of the last.
//!
//! Rows are locked in the order of the users, so that two instances at it never wait for each other
//! in a circle. Whoever needs care is told alone: one whose earlier attempt may yet arrive, and
//! everybody if anything goes wrong.

use sqlx::types::Json;
use sqlx::{MySql, QueryBuilder};

use super::{Change, Propagation, Undelivered};
use crate::App;
use crate::line::Delivery;
use crate::transaction::Transaction;

/// Delivers to all of these users; tells how many it could not be delivered for.
pub(super) async fn deliver(app: &App, users: &[u64]) -> usize {
    let lines = &app.ledger.lines;
    let (careful, together): (Vec<u64>, Vec<u64>) =
        users.iter().partition(|user_id| lines.is_uncertain_about(**user_id));
    let behind = alone(app, &careful).await;
    let together: Vec<_> =
        together.into_iter().map(|user_id| (user_id, lines.begin_delivery(user_id))).collect();
    let told = tokio::time::timeout(app.stores_deadline(), try_deliver(app, &together));
    match told.await.unwrap_or(Err(Undelivered::Late)) {
        Ok(()) => {
            for (user_id, delivery) in together {
                lines.delivered(user_id, delivery);
            }
            behind
        }
        Err(cause) => {
            tracing::debug!(%cause, "not together; each is delivered alone");
            let users: Vec<u64> = together.into_iter().map(|(user_id, _)| user_id).collect();
            behind + alone(app, &users).await
        }
    }
}

async fn alone(app: &App, users: &[u64]) -> usize {
    let mut behind = 0;
    for user_id in users {
        behind += usize::from(super::deliver(app, *user_id).await == Propagation::Pending);
    }
    behind
}

async fn try_deliver(app: &App, users: &[(u64, Delivery)]) -> Result<(), Undelivered> {
    if users.is_empty() {
        return Ok(());
    }
    app.ledger.lines.any()?;
    let mut tx = Transaction::begin(&app.db).await?;
    let mut select = QueryBuilder::<MySql>::new(
        "select id, user_id, change_set from revocation_outbox force index (idx_outbox_user_id)
          where delivered_at is null and user_id in (",
    );
    let mut list = select.separated(", ");
    for (user_id, _) in users {
        list.push_bind(*user_id);
    }
    select.push(") order by user_id, id for update");
    let rows: Vec<(u64, u64, Json<Vec<Change>>)> =
        select.build_query_as().fetch_all(&mut *tx).await?;
    let Some((first, ..)) = rows.first() else { return Ok(()) };
    // By key: a statement that searches would wait for rows that others hold.
    let mut update = QueryBuilder::<MySql>::new(
        "update revocation_outbox force index (primary) set delivered_at = ",
    );
    update.push_bind(app.clock.now()).push(" where id in (").push_bind(*first);
    let mut changes = Vec::new();
    for (id, user_id, of_user) in rows {
        update.push(", ").push_bind(id);
        // Said before, because this attempt may be cut short at any point.
        app.ledger.lines.uncertain(user_id, id);
        changes.extend(of_user.0.into_iter().map(|change| (user_id, change)));
    }
    app.ledger.apply(&changes).await?;
    update.push(")").build().execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}
