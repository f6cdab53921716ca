"""The server types on one service for the whole folder."""
