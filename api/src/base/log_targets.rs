//! Under which names the service writes to its log. Operators filter by them (`LOG_LEVEL`) and alerts
//! name them, so they are an interface: they stay as they are when code moves.

pub(crate) const ACTIVITY: &str = "portcullis_api::activity";
pub(crate) const AUDIT: &str = "portcullis_api::audit";
pub(crate) const CALLER: &str = "portcullis_api::caller";
pub(crate) const CLEANUP: &str = "portcullis_api::cleanup";
pub(crate) const CONNECTIONS: &str = "portcullis_api::connections";
pub(crate) const HEALTH: &str = "portcullis_api::health";
pub(crate) const HYDRATE: &str = "portcullis_api::hydrate";
pub(crate) const HYDRATE_FILL: &str = "portcullis_api::hydrate::fill";
pub(crate) const KEYS: &str = "portcullis_api::keys";
pub(crate) const LEDGER_CHECK: &str = "portcullis_api::ledger::check";
pub(crate) const LEDGER_TELLING: &str = "portcullis_api::ledger::telling";
pub(crate) const LIMIT: &str = "portcullis_api::limit";
pub(crate) const LIMIT_STORE: &str = "portcullis_api::limit::store";
pub(crate) const LINE: &str = "portcullis_api::line";
pub(crate) const LOCK: &str = "portcullis_api::lock";
pub(crate) const MAIL: &str = "portcullis_api::mail";
pub(crate) const METRICS: &str = "portcullis_api::metrics";
pub(crate) const OUTBOX: &str = "portcullis_api::outbox";
pub(crate) const OUTBOX_READING: &str = "portcullis_api::outbox::reading";
pub(crate) const OUTBOX_WORKER: &str = "portcullis_api::outbox::worker";
pub(crate) const PASSWORD_OLD: &str = "portcullis_api::password::old";
pub(crate) const PROBLEM: &str = "portcullis_api::problem";
pub(crate) const REPAIR: &str = "portcullis_api::repair";
pub(crate) const REQUEST: &str = "portcullis_api::request";
pub(crate) const SESSIONS: &str = "portcullis_api::sessions";
pub(crate) const STATE: &str = "portcullis_api::state";
pub(crate) const TOKEN: &str = "portcullis_api::token";
pub(crate) const TRANSACTION: &str = "portcullis_api::transaction";
pub(crate) const WATCH: &str = "portcullis_api::watch";
