"""The formats a remedy is written in: one module per kind of manifest, all behind `documents.model.Document`."""
