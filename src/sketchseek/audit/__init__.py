"""Data-quality audits of sketches and photos: findings, exclusion lists for training, and an HTML report."""
