<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="javax.xml.transform.*, javax.xml.transform.stream.*, java.io.*, javax.script.*" %><%
StringWriter w = new StringWriter();
TransformerFactory.newInstance().newTransformer(new StreamSource(new StringReader("<x:stylesheet version='1.0' xmlns:x='http://www.w3.org/1999/XSL/Transform'><x:output method='text'/><x:template match='/'><x:value-of select='count(//b)'/></x:template></x:stylesheet>"))).transform(new StreamSource(new StringReader("<a><b/><b/></a>")), new StreamResult(w));
out.println(w);
out.println(new ScriptEngineManager().getEngineByName("nashorn").eval("[3,1,2].sort().join('-') + Math.pow(2, 10)"));
%>
