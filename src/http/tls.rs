//! TLS by rustls: TLS 1.2 and 1.3 with the certificate the configuration names. A renewed one is taken up without a
//! restart: connections made before keep the old one, and a file that cannot be read leaves it in use.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::TlsConfig;

/// Why TLS cannot be served. Names the setting and the file, and never shows what is in it.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("http.tls.certificate: {} cannot be read as PEM certificates", path.display())]
    Certificate {
        path: PathBuf,
        source: rustls::pki_types::pem::Error,
    },
    #[error("http.tls.certificate: {} holds no certificate", path.display())]
    NoCertificate { path: PathBuf },
    #[error("http.tls.key: {} cannot be read as a PEM private key", path.display())]
    Key {
        path: PathBuf,
        source: rustls::pki_types::pem::Error,
    },
    #[error("http.tls: the key and the certificate do not fit together")]
    Mismatch(#[source] rustls::Error),
    #[error("TLS cannot be set up")]
    Protocol(#[source] rustls::Error),
}

/// The certificate in use, and where it came from.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone())
    }
}

impl Certificates {
    /// Reads both files; `None` if TLS is not configured.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub fn load(config: &TlsConfig) -> Result<Option<Self>, TlsError> {
        let (Some(certificate), Some(key)) = (&config.certificate, &config.key) else {
            return Ok(None);
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pair = read_pair(certificate, key, &provider)?;
        Ok(Some(Self {
            certificate: certificate.clone(),
            key: key.clone(),
            provider,
            current: Arc::new(Current(RwLock::new(pair))),
        }))
    }

    /// Reads both files again. After an error the old certificate stays in use.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub fn reload(&self) -> Result<(), TlsError> {
        let pair = read_pair(&self.certificate, &self.key, &self.provider)?;
        *self
            .current
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = pair;
        Ok(())
    }

    /// What a listener needs.
    ///
    /// # Errors
    /// When the library has no protocol version to offer.
    pub fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Protocol)?;
        Ok(builder.with_no_client_auth().with_cert_resolver(self.current.clone()))
    }
}

fn read_pair(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| TlsError::Certificate {
            path: certificate.to_owned(),
            source,
        })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: certificate.to_owned(),
        });
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Key {
        path: key.to_owned(),
        source,
    })?;
    CertifiedKey::from_der(chain, key, provider)
        .map(Arc::new)
        .map_err(TlsError::Mismatch)
}
