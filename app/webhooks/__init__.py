"""Outgoing webhooks (Standard Webhooks 1.0): which events, where to, signed how, and when again."""
