//! The images of a service: what it keeps is asked of it.

use evirt_domain::ids::StorageDomainId;
use evirt_domain::image::{ImageFacts, ImportImage};
use evirt_domain::storage::StorageDomain;
use uuid::Uuid;

use super::{App, Done, OpContext, Refused, Wait, probe};

/// The images of a domain.
///
/// `Failed` where its service does not say.
pub async fn list(app: &App, domain: &StorageDomain) -> Result<Vec<ImageFacts>, Refused> {
    probe::images(app, &domain.storage.service).await.map_err(Refused::Failed)
}

/// Makes a disk of an image.
///
/// Refused as the command is; `Failed` where the work was waited for and came to nothing.
pub async fn import(
    app: &App,
    cx: &OpContext,
    wait: Wait,
    domain: &StorageDomain,
    image: Uuid,
    to: StorageDomainId,
) -> Result<Done, Refused> {
    let found = probe::images(app, &domain.storage.service).await;
    app.carry_out(cx, wait, ImportImage { from: domain.id, image, to, found }).await
}
