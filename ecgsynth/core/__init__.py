"""What every room stands on: settings, noise, files, storage, dates, identifiers, and what may be published."""
