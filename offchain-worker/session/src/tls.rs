//! TLS 1.3 with the server's certificate pinned to the Ed25519 key that the chain names.
//!
//! Names, dates and issuers of certificates mean nothing here: a certificate is right when its key is the registered
//! one and the handshake is signed by it.

use std::sync::Arc;

use rustls::{
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{ring, verify_tls13_signature, CryptoProvider},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::ParsedCertificate,
    version::TLS13,
    CertificateError, ClientConfig, DigitallySignedStruct, Error as RustlsError, ServerConfig,
    SignatureScheme,
};

/// The protocol that both sides name in the handshake: HTTP/2.
pub const ALPN: &[u8] = b"h2";

/// DER of a PKCS #8 Ed25519 key up to its 32 bytes of seed (RFC 8410).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// DER of an Ed25519 public key up to its 32 bytes (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The key or the certificate made of it.
    #[error("the TLS key: {0}; it must be the 32-byte seed of an Ed25519 key")]
    Key(String),
    /// The TLS library refused.
    #[error("TLS: {0}")]
    Config(#[from] RustlsError),
}

/// An endpoint's Ed25519 key.
#[derive(Clone)]
pub struct TlsKey {
    pkcs8: Vec<u8>,
    public: [u8; 32],
}

impl std::fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The seed stays out of logs.
        write!(f, "TlsKey({})", H(&self.public))
    }
}

struct H<'a>(&'a [u8]);

impl std::fmt::Display for H<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl TlsKey {
    /// Of a secret seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        use sp_core::Pair;
        Self {
            pkcs8: [&PKCS8_PREFIX[..], seed].concat(),
            public: sp_core::ed25519::Pair::from_seed(seed).public().0,
        }
    }

    /// The public key, as the chain names it.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// A self-signed certificate of this key.
    fn certificate(&self) -> Result<CertificateDer<'static>, TlsError> {
        let key = |error: rcgen::Error| TlsError::Key(error.to_string());
        let pkcs8 = PrivatePkcs8KeyDer::from(self.pkcs8.as_slice());
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &rcgen::PKCS_ED25519)
            .map_err(key)?;
        let params = rcgen::CertificateParams::new(["chasqui".to_string()]).map_err(key)?;
        Ok(params.self_signed(&pair).map_err(key)?.der().clone())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What a server offers: TLS 1.3, HTTP/2, a certificate of `key`.
///
/// # Errors
/// The key is none.
pub fn server_config(key: &TlsKey) -> Result<ServerConfig, TlsError> {
    let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8.clone()));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![key.certificate()?], secret)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // No early data: a request must not be repeatable by whoever sees it on its way.
    config.max_early_data_size = 0;
    Ok(config)
}

/// What a client accepts: TLS 1.3, HTTP/2, and no other server than the one with `tls_key`.
///
/// # Errors
/// The TLS library does not know TLS 1.3.
pub fn client_config(tls_key: [u8; 32]) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { tls_key }))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_early_data = false;
    Ok(config)
}

/// Accepts the certificate of one key.
#[derive(Debug)]
struct Pinned {
    tls_key: [u8; 32],
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let key = certificate.subject_public_key_info();
        if key.as_ref() == [&SPKI_PREFIX[..], &self.tls_key].concat() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        Err(RustlsError::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, RustlsError> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
