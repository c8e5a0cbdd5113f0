"""What a user may point at: a folder, a file, an archive, an image volume, or one series of a larger collection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cop_imaging.errors import SeriesError
from cop_imaging.ingest.archives import ArchiveConfig, is_archive, unpacked
from cop_imaging.ingest.files import SeriesFiles, dicom_files, looks_like_dicom
from cop_imaging.ingest.images import is_image
from cop_imaging.ingest.naming import shown_name

__all__ = ["Found", "opened"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a source holds, as files that can be opened now."""

    where: str
    """What a message calls the source."""
    files: tuple[Path, ...] = ()
    """Files that begin like DICOM."""
    image: Path | None = None
    """A NIfTI, NRRD or MetaImage volume instead."""
    damaged: tuple[str, ...] = ()
    """Files and members of an archive that are lost slices by their names or place, as a message names them."""


@contextmanager
def opened(source: Path | str | SeriesFiles, config: ArchiveConfig) -> Iterator[Found]:
    """The files of a source for the length of the block; an archive is unpacked for so long.

    Raises
    ------
    SeriesError
        ``source.missing``, ``source.no_dicom``, ``source.unreadable``, ``source.damaged`` or ``source.too_large``.
    """
    if isinstance(source, SeriesFiles):
        yield Found(source.name, source.files)
        return
    source = Path(source)
    if source.is_dir():
        yield _folder(source, str(source))
    elif not source.exists():
        raise SeriesError(
            f"{source} does not exist; give a folder, file or archive of one CT series", code="source.missing"
        )
    elif not source.is_file():
        raise SeriesError(f"{source} is neither a file nor a folder", code="source.unreadable")
    elif looks_like_dicom(source, shown_name(source, 1, 1)):
        # Content goes before the name, and before an archive that pixels happen to look like.
        yield Found(str(source), (source,))
    elif is_image(source):
        yield Found(str(source), image=source)
    elif is_archive(source):
        with unpacked(source, config) as inside:
            found = _folder(inside.folder, str(source))
            yield Found(found.where, found.files, found.image, (*inside.damaged, *found.damaged))
    else:
        raise SeriesError(
            f"{source} is no DICOM file, archive or image volume (NIfTI, NRRD, MHA)", code="source.no_dicom"
        )


def _folder(folder: Path, where: str) -> Found:
    """The DICOM files of a folder, or its one image volume when it has none."""
    lost: list[str] = []
    files = tuple(dicom_files(folder, lost))
    if files:
        return Found(where, files, damaged=tuple(lost))
    images = sorted(path for path in folder.rglob("*") if path.is_file() and is_image(path))
    if len(images) > 1:
        raise SeriesError(
            f"{where} holds no DICOM file but {len(images)} image volumes; give one of them", code="source.no_dicom"
        )
    return Found(where, image=images[0] if images else None)
