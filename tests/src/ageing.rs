//! Time for the keys that Redis ends by its own clock, which no test can move.

use std::time::Duration;

use crate::Redis;

impl Redis {
    /// Brings every key that ends by itself nearer to its end, as if this much time had passed.
    pub fn age(&self, time: Duration) {
        let mut connection = self.connection();
        let keys: Vec<String> =
            redis::cmd("KEYS").arg("*").query(&mut connection).expect("Redis lists its keys");
        let passed = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        for key in keys {
            let left: i64 =
                redis::cmd("PTTL").arg(&key).query(&mut connection).expect("Redis knows the key");
            if left >= 0 {
                let left = left.saturating_sub(passed);
                redis::cmd("PEXPIRE").arg(&key).arg(left).exec(&mut connection).expect("it ages");
            }
        }
    }
}
