// The vendor's own suite for worlds, unchanged.
import { createTestSuite } from '@workflow/world-testing';

createTestSuite('./kit.mjs');
