"""Sources whose skill changes: counts by block of time that fade, at a rate learned per source, and end at jumps."""
