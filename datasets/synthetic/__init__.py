"""Random people before random backgrounds, with everything about them known."""

from datasets.synthetic.generator import SyntheticConfig, generate, read_examples

__all__ = ["SyntheticConfig", "generate", "read_examples"]
