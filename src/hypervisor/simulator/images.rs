//! What services of images do: they offer themselves, list what they keep, give it out, and take in what is new.

use uuid::Uuid;

use super::hosts::named_uuid;
use super::machine::{Machine, exists, failed, not_found};
use crate::hypervisor::estate::{ImageEntry, ImageServiceEntry};
use crate::hypervisor::*;

/// How many images a service keeps at the most.
pub const MAX_IMAGES: usize = 500;

impl Machine {
    /// Services that are to be used without being asked for say that they are there.
    pub(super) fn offer_images(&mut self) {
        let offered: Vec<_> = self.estate.image_services.iter().filter(|entry| entry.offered).map(facts).collect();
        for service in offered {
            self.tell(Observation::ImageServiceOffered(service));
        }
    }

    fn image_service(&self, address: &str) -> Result<&ImageServiceEntry, DriverError> {
        let found = self.estate.image_services.iter().find(|entry| entry.address == address);
        let answers = found.filter(|entry| !self.world.lost_storage.contains(&entry.address));
        answers.ok_or_else(|| DriverError::Unreachable { address: address.to_owned() })
    }

    pub(super) fn find_image_service(&self, address: &str) -> Outcome {
        self.image_service(address).map(|entry| Reply::ImageService(facts(entry)))
    }

    pub(super) fn images(&self, address: &str) -> Result<Vec<ImageFacts>, DriverError> {
        let entry = self.image_service(address)?;
        let own = entry.images.iter().map(|image| image_facts(entry, image));
        Ok(own.chain(self.world.images.get(address).into_iter().flatten().cloned()).collect())
    }

    pub(super) fn import_image(&mut self, address: &str, image: Uuid, volume: VolumeRef, sparse: bool) -> Outcome {
        let images = self.images(address)?;
        let found = images.iter().find(|found| found.id == image).ok_or_else(|| not_found("image", image))?;
        let format = match found.format.as_str() {
            "raw" => VolumeFormat::Raw,
            "qcow2" => VolumeFormat::Cow,
            other => return Err(failed(&format!("no volume can be made of an image of the format {other}"))),
        };
        let actual_bytes = if sparse { found.stored_bytes.min(found.size_bytes) } else { found.size_bytes };
        self.create_volume(VolumeFacts { volume, parent: None, size_bytes: found.size_bytes, actual_bytes, format, sparse })
    }

    pub(super) fn export_image(&mut self, volume: VolumeRef, address: &str, image: Uuid, name: String) -> Outcome {
        let known = self.images(address)?;
        let capacity_bytes = self.image_service(address)?.size_bytes;
        self.check_readable(volume.domain)?;
        let facts = self.volume(volume)?;
        let format = match facts.format {
            VolumeFormat::Raw => "raw",
            VolumeFormat::Cow => "qcow2",
        };
        let (size_bytes, stored_bytes) = (facts.size_bytes, facts.actual_bytes);
        let new = ImageFacts { id: image, name, format: format.to_owned(), size_bytes, stored_bytes };
        if let Some(old) = known.iter().find(|old| old.id == image) {
            return if *old == new { Ok(Reply::Done) } else { Err(exists("image", image)) };
        }
        if known.len() >= MAX_IMAGES {
            return Err(failed(&format!("the service keeps no more than {MAX_IMAGES} images")));
        }
        let available_bytes = capacity_bytes.saturating_sub(known.iter().map(|image| image.stored_bytes).sum());
        if stored_bytes > available_bytes {
            return Err(DriverError::NoSpace { needed_bytes: stored_bytes, available_bytes });
        }
        self.world.images.entry(address.to_owned()).or_default().push(new);
        Ok(Reply::Done)
    }
}

fn facts(entry: &ImageServiceEntry) -> ImageServiceFacts {
    ImageServiceFacts { id: named_uuid(&entry.address), name: entry.name.clone(), address: entry.address.clone() }
}

fn image_facts(service: &ImageServiceEntry, image: &ImageEntry) -> ImageFacts {
    ImageFacts {
        id: image.id.unwrap_or_else(|| named_uuid(&format!("{}/{}", service.address, image.name))),
        name: image.name.clone(),
        format: image.format.clone(),
        size_bytes: image.size_bytes,
        stored_bytes: image.stored_bytes.unwrap_or(image.size_bytes),
    }
}
