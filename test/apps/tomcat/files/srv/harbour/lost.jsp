<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page isErrorPage="true" %>lost: ${pageContext.errorData.statusCode}
