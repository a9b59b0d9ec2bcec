//! Memory for argon2id, kept between logins.
//!
//! A hash fills megabytes. Fresh from the system they come a page at a time, which takes a third as
//! long as the hash itself; so whoever is done leaves them to the next. There are as many as hashes
//! are at work at once, which is bounded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// What nobody is hashing in just now.
pub(super) struct Memory {
    unused: Mutex<Vec<Vec<Block>>>,
    /// How many blocks a hash of ours takes. Only such are kept: what others take may be much.
    usual: usize,
}

impl Memory {
    /// For hashes that mostly cost this.
    pub(super) fn for_hashes(params: &Params) -> Self {
        Self { unused: Mutex::default(), usual: params.block_count() }
    }

    /// Whether a password has this hash. Not, if the hash is none of ours.
    pub(super) fn verify(&self, password: &[u8], hash: &PasswordHash) -> bool {
        self.compute(password, hash).is_some_and(|computed| Some(computed) == hash.hash)
    }

    /// The password's hash with salt, costs and length of another.
    fn compute(&self, password: &[u8], like: &PasswordHash) -> Option<Output> {
        let algorithm = Algorithm::new(like.algorithm.as_str()).ok()?;
        let version = like.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let params = Params::try_from(like).ok()?;
        let (blocks, salt) = (params.block_count(), like.salt.as_ref()?);
        let mut output = vec![0; like.hash.as_ref()?.len()];
        let argon2 = Argon2::new(algorithm, version, params);
        let mut memory = self.take(blocks);
        let done = argon2.hash_password_into_with_memory(password, salt, &mut output, &mut memory);
        self.leave(memory);
        done.ok()?;
        Output::new(&output).ok()
    }

    /// So many blocks, used ones if there are any.
    fn take(&self, blocks: usize) -> Vec<Block> {
        let used = if blocks == self.usual { self.unused().pop() } else { None };
        used.unwrap_or_else(|| vec![Block::default(); blocks])
    }

    fn leave(&self, memory: Vec<Block>) {
        if memory.len() == self.usual {
            self.unused().push(memory);
        }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Vec<Block>>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
