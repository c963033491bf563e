import { z } from 'zod';

// Imported before any schema: zod would make functions of text, which the page's policy forbids and the browser reports.
z.config({ jitless: true });
