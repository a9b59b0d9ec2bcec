//! Whether a server shares its users with others, and what is said where nobody expects that.

/// For whoever has told of one server that has all users.
pub const NODE_OF_A_CLUSTER: &str = "this Redis is a node of a cluster, and most users are elsewhere: write redis+cluster:// in REDIS_URL";

/// Whether what a server says of itself (`INFO server`) is what a node of a cluster says. Valkey may be told
/// to call it otherwise.
#[must_use]
pub fn is_node(info: &str) -> bool {
    let modes = ["redis_mode:cluster", "server_mode:cluster"];
    info.lines().any(|line| modes.contains(&line.trim_end()))
}
