//! The certificate authority of one test cluster, and who it vouches for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// A certificate and its private key, as files that every component can read.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Issues the certificates of one cluster and writes them to one folder.
pub struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Creates the authority and writes its certificate to `ca.crt`.
    pub fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, "seaworthy-test-ca");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            .context("creating the test certificate authority")?;

        let authority = Self {
            folder: folder.to_owned(),
            issuer,
        };
        authority.write("ca.crt", &authority.issuer.pem())?;
        Ok(authority)
    }

    /// The file that clients trust and the API server accepts client certificates from.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A serving certificate for the loopback address and the API server's usual names.
    pub fn server(&self, file: &str) -> Result<Identity> {
        let mut params = CertificateParams::new(vec![
            "127.0.0.1".to_owned(),
            "localhost".to_owned(),
            "kubernetes.default.svc".to_owned(),
        ])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(file, file, params)
    }

    /// A client certificate; Kubernetes reads the user from the common name and
    /// the group from the organization.
    pub fn client(&self, file: &str, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        self.issue(file, user, params)
    }

    /// The key pair that signs service account tokens: (private, public) file.
    pub fn service_account_keys(&self) -> Result<(PathBuf, PathBuf)> {
        let key = KeyPair::generate()?;
        Ok((
            self.write("service-account.key", &key.serialize_pem())?,
            self.write("service-account.pub", &key.public_key_pem())?,
        ))
    }

    fn issue(
        &self,
        file: &str,
        common_name: &str,
        mut params: CertificateParams,
    ) -> Result<Identity> {
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("issuing the certificate of {common_name}"))?;
        Ok(Identity {
            certificate: self.write(&format!("{file}.crt"), &certificate.pem())?,
            key: self.write(&format!("{file}.key"), &key.serialize_pem())?,
        })
    }

    fn write(&self, name: &str, pem: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, pem).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}
