<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="java.text.*, java.util.*" %><%
for (String tag : new String[] {"fr-FR", "de-DE", "ja-JP", "ar-EG", "hi-IN"}) {
	Locale l = Locale.forLanguageTag(tag);
	DateFormat d = DateFormat.getDateInstance(DateFormat.FULL, l);
	d.setTimeZone(TimeZone.getTimeZone("Asia/Tokyo"));
	out.println(tag + " " + d.format(new Date(86400000L * 900)) + " " + NumberFormat.getCurrencyInstance(l).format(1234.5));
}
%>
