"""The recipe of the tagger's weights; see README.md beside this file."""
