//! Sealing values for a run, and answering them to it.

use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::opened::Opened;
use crate::sealed::{SEALED_MAX, Scope, Sealed};
use crate::vaults::{Opening, RESOLVED_MAX, VALUE_MAX, Vaults};
use crate::{sealed_table, table};

/// Runs of one page.
pub(crate) const RUNS_MAX: usize = 1_000;

impl Vaults {
    /// Keeps values for a run; answers their references. Of the references among them
    /// that `from` may use, the values are kept.
    pub(crate) async fn seal(
        &self,
        scope: &Scope,
        run: &str,
        values: &[Zeroizing<String>],
        from: Option<&str>,
    ) -> Result<Vec<String>, Error> {
        fits(values)?;
        let opened = self.open().await?;
        let now = self.now_ms();
        let work = async |tx: &mut SqliteConnection| -> Result<Vec<String>, Error> {
            sealed_table::put_sealed_run(tx, run, scope.as_str(), now).await?;
            let mut references = Vec::with_capacity(values.len());
            for value in values {
                let sealed = match from {
                    Some(from) if Sealed::is(value) => {
                        let earlier = Sealed::parse(value)?;
                        let found = opened.sealed(tx, &earlier, Some(from)).await?;
                        opened.seal(tx, scope, &found.value, now).await?
                    }
                    _ => opened.seal(tx, scope, value, now).await?,
                };
                references.push(sealed.to_string());
            }
            Ok(references)
        };
        opened.store.write(work).await.map_err(Error::written)
    }

    /// Values that were sealed for a run: as many of the first as fit into an answer, one
    /// at least.
    pub(crate) async fn unseal(
        &self,
        run: &str,
        references: &[Sealed],
    ) -> Result<Vec<Zeroizing<String>>, Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        let mut bytes = 0;
        let mut values = Vec::with_capacity(references.len());
        for reference in references {
            let found = opened.sealed(&mut reader, reference, Some(run)).await?;
            bytes += found.value.len();
            if bytes > RESOLVED_MAX && !values.is_empty() {
                break;
            }
            values.push(found.value);
        }
        Ok(values)
    }

    /// Forgets what was sealed for a run and no other may use; says whether there was
    /// something.
    pub(crate) async fn drop_run(&self, run: &str) -> Result<bool, Error> {
        let opened = self.open().await?;
        let work = async |tx: &mut SqliteConnection| -> Result<bool, Error> {
            let scopes = sealed_table::delete_sealed_run(tx, run).await?;
            for (scope, in_use) in &scopes {
                if !in_use {
                    let vault = Scope::parse(scope)?.vault();
                    table::delete_vault(tx, vault.as_str()).await?;
                }
            }
            Ok(!scopes.is_empty())
        };
        opened.store.write(work).await.map_err(Error::written)
    }

    /// Runs behind `after` for which nothing was sealed since an instant.
    pub(crate) async fn sealed_runs(
        &self,
        before_ms: i64,
        after: &str,
        max: usize,
    ) -> Result<Vec<String>, Error> {
        let opened = self.open().await?;
        let mut reader = opened.store.read().await?;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        sealed_table::sealed_runs(&mut reader, before_ms, after, max).await
    }
}

impl Opened {
    /// A value that was sealed for the run that asks.
    pub(crate) async fn sealed(
        &self,
        c: &mut SqliteConnection,
        sealed: &Sealed,
        run: Option<&str>,
    ) -> Result<Opening, Error> {
        let refused = || Error::NotSealedHere(sealed.to_string());
        let run = run.ok_or_else(refused)?;
        if !sealed_table::is_sealed_for(c, run, sealed.scope.as_str()).await? {
            return Err(refused());
        }
        match self.value(c, &sealed.stored()).await {
            // Another value of this scope: whether there is one is nobody's business.
            Err(Error::NoVault(_) | Error::NoCredential { .. }) => Err(refused()),
            found => found,
        }
    }

    /// Keeps a value in a scope, unless it is there already.
    async fn seal(
        &self,
        tx: &mut SqliteConnection,
        scope: &Scope,
        value: &Zeroizing<String>,
        now_ms: i64,
    ) -> Result<Sealed, Error> {
        let sealed = scope.sealed(&self.root, value);
        let at = sealed.stored();
        let (vault, name) = (at.vault.as_str(), at.credential.as_str());
        if table::newest(tx, vault, name).await? == 0 {
            self.store_value(tx, (vault, name), 1, value, now_ms)
                .await?;
        }
        Ok(sealed)
    }
}

/// Whether so many values of such lengths are sealed at once.
fn fits(values: &[Zeroizing<String>]) -> Result<(), Error> {
    if values.is_empty() || values.len() > SEALED_MAX {
        return Err(Error::Sealed(values.len()));
    }
    if let Some(long) = values.iter().find(|v| v.len() > VALUE_MAX) {
        return Err(Error::ValueTooLarge(long.len()));
    }
    if values.iter().map(|v| v.len()).sum::<usize>() > RESOLVED_MAX {
        return Err(Error::ResolvedTooLarge);
    }
    Ok(())
}
