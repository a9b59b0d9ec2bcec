//! What went wrong, in words for whoever typed the command.

use portcullis_api::store::told::told;

/// The chain of causes; those that only repeat the one before are left out.
pub(crate) fn in_words(error: &anyhow::Error) -> String {
    let plainly = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<sqlx::Error>().map_or_else(|| cause.to_string(), told)
    };
    error.chain().map(plainly).fold(String::new(), |told, cause| match &*told {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}
