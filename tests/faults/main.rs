//! What happens when a store fails: real servers, killed, restored and cut off.
//!
//! Everything waits for states, never for a time. What is counted is printed (`--nocapture`).

mod amid;
mod endpoints;
mod everybody;
mod failover;
mod filling;
mod gone_back;
mod group;
mod instances;
mod kept;
mod kills;
mod late;
mod leases;
mod load;
mod loading;
mod lost;
mod marks;
mod matrix;
mod mishaps;
mod model;
mod nodes;
mod outside;
mod proxy;
mod races;
mod restarts;
mod sent_away;
mod sentinels;
mod since;
mod sizes;
mod soak;
mod spread;
mod stage;
mod stuck;
mod talk;
mod transactions;
mod trap;
mod two_primaries;
mod unheard;
mod vouching;
