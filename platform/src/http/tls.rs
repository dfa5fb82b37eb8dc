//! TLS 1.2 and 1.3: what proves who we are, and whom we believe.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::TlsIdentity;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn invalid(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.to_string())
}

/// Reads what a server shows.
pub(super) fn server_config(identity: &TlsIdentity) -> io::Result<Arc<ServerConfig>> {
    let certificates = certificates(&identity.certificates_pem)?;
    let key =
        PrivateKeyDer::from_pem_slice(&identity.key_pem).map_err(|error| invalid(format!("the private key is not a PEM key: {error}")))?;
    let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(invalid)?;
    let mut config = config
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| invalid(format!("the certificate and the private key cannot be used: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Says whom a client believes: the authorities in `ca_pem`, or without it those of the system.
pub(super) fn client_config(ca_pem: Option<&[u8]>) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    match ca_pem {
        Some(pem) => {
            for certificate in certificates(pem)? {
                roots.add(certificate).map_err(invalid)?;
            }
        }
        None => {
            // What the system holds and we cannot read is left out: the one that is needed may be another.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().map_err(invalid)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|error| invalid(format!("the certificates are not PEM: {error}")))?;
    if certificates.is_empty() { Err(invalid("there is no certificate in the PEM text")) } else { Ok(certificates) }
}
