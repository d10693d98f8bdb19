"""Random people in front of random backgrounds, with complete labels."""

from datasets.synthetic.generator import SyntheticConfig, generate, read_examples

__all__ = ["SyntheticConfig", "generate", "read_examples"]
