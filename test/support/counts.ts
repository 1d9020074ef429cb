// Whether tests run with their full counts (`npm run soak`) or with sampled ones (`npm test`).
export const soaking = process.env.TRANSHIP_SOAK === "1";
