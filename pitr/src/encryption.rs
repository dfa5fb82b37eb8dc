//! Encryption at rest: a store over the archive's store, so that everything above works on an encrypted archive unchanged.
//!
//! What objects hold is protected; under which keys they lie and how many bytes they hold is not. Each object is encrypted with a
//! key of its own, derived from the archive's data key, which lies in the archive wrapped by the user's key. A layer that repeats
//! requests belongs below: what it sends again are the same stored bytes.
//!
//! The cipher is AES-256-GCM, in frames of 64 KiB. Measured here (one core, AVX-512 and VAES, crates aes-gcm 0.11.1 and
//! chacha20poly1305 0.11.0, 64 MiB): 3.2 GB/s to encrypt and 3.4 GB/s to decrypt, against 1.2 and 1.2 GB/s of ChaCha20-Poly1305.
//! With BLAKE3 and one copy, an object of 128 MiB takes 2.0 GB/s of processor time to encrypt and 2.3 GB/s to decrypt.

mod check;
mod description;
pub mod format;
pub mod keys;
mod store;
mod text;
mod unlock;

pub use check::{StoredReport, check_stored};
pub(crate) use description::explain_locked;
pub use keys::UserKey;
pub use store::EncryptedStore;
pub use unlock::{KeySource, create, is_encrypted, rekey, unlock};
