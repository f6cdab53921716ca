"""Doubles of clouds: UpCloud's JSON API and Amazon's EC2 query API, each on a port of its own."""

from app.lab.clouds.clouds import Clouds

__all__ = ["Clouds"]
